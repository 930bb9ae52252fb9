"""Datasets to try Recsmith with, for somebody who has none at hand; asking twice for one gives the same dataset."""

from __future__ import annotations

from pathlib import Path

from django.contrib.auth.models import User
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction

from gnn.sources import Mapping
from webapp.blobs import bytes_file
from webapp.enums import AuditVerb, DatasetState
from webapp.made_up_shop import orders_csv
from webapp.models import Dataset
from webapp.movielens import MovieLensError, interactions_file
from webapp.queue import INGEST_DATASET, enqueue_on_commit
from webapp.selectors.samples import MOVIELENS_FILE, MOVIELENS_NAME, SHOP_FILE, SHOP_NAME, samples
from webapp.services.audit import event_record
from webapp.services.datasets import dataset_confirm, dataset_upload
from webapp.services.locks import SAMPLE, advisory_lock

MOVIELENS_MAPPING = Mapping.from_json(
    {
        "delimiter": "\t",
        "has_header": True,
        "columns": {"user": "user_id", "item": "item_id", "weight": "rating", "timestamp": "timestamp"},
    }
)
SHOP_MAPPING = Mapping.from_json(
    {
        "delimiter": ",",
        "has_header": True,
        "columns": {"user": "customer", "item": "product", "timestamp": "ordered_at"},
        "timestamp_unit": "iso",
    }
)
MAX_REASON = 600
"""Characters of what pip says; its last ones tell most."""


def sample_movielens(*, owner: User | None) -> Dataset:
    """MovieLens-100K as a dataset that a worker fetches and reads; one that could not be fetched is tried again."""
    with advisory_lock(SAMPLE, 1, wait=True), transaction.atomic():
        dataset = samples(MOVIELENS_NAME, MOVIELENS_FILE).first()
        if dataset is None:
            dataset = Dataset.objects.create(
                name=MOVIELENS_NAME,
                owner=owner,
                state=DatasetState.INGESTING,
                filename=MOVIELENS_FILE,
                mapping=MOVIELENS_MAPPING.to_json(),
            )
            event_record(AuditVerb.UPLOAD, dataset)
            enqueue_on_commit(INGEST_DATASET, dataset.pk)
            return dataset
        if dataset.state == DatasetState.INVALID:
            return dataset_confirm(dataset_id=dataset.pk, mapping=MOVIELENS_MAPPING)
        return dataset


def sample_shop(*, owner: User | None) -> Dataset:
    """The made-up shop, uploaded and confirmed as a person would."""
    with advisory_lock(SAMPLE, 2, wait=True), transaction.atomic():
        dataset = samples(SHOP_NAME, SHOP_FILE).first()
        if dataset is None:
            dataset = dataset_upload(owner=owner, name=SHOP_NAME, filename=SHOP_FILE, file=bytes_file(orders_csv()))
        if dataset.state in (DatasetState.UPLOADED, DatasetState.INVALID):
            return dataset_confirm(dataset_id=dataset.pk, mapping=SHOP_MAPPING)
        return dataset


def sample_fetch(*, dataset_id: int, cache: Path) -> None:
    """Get the file of a MovieLens-100K that has none yet, or say in its message why it cannot be had; otherwise do nothing."""
    waiting = Dataset.objects.filter(
        pk=dataset_id, state=DatasetState.INGESTING, name=MOVIELENS_NAME, filename=MOVIELENS_FILE, source_blob=""
    )
    if not waiting.exists():
        return
    try:
        path = interactions_file(cache)
    except (MovieLensError, OSError) as error:
        waiting.update(
            state=DatasetState.INVALID,
            message="MovieLens-100K could not be fetched, for which a worker needs the internet. Connect it and press the button on the "
            f"home page again, or use the made-up shop there, which needs no network. {str(error)[-MAX_REASON:]}",
        )
        return
    with path.open("rb") as file, transaction.atomic():
        # Locked first: a dataset that was cancelled or deleted meanwhile must leave no blob behind.
        if waiting.select_for_update().exists():
            waiting.update(source_blob=default_storage.save("source", File(file, name=MOVIELENS_FILE)))
