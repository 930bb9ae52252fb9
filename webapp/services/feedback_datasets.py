"""From feedback to the next version of the dataset: clicks and purchases become interactions, beside the files there are."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC
from itertools import islice
from typing import Any

import polars as pl
from django.contrib.auth.models import User
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction

from gnn.preparation import Preparation
from gnn.sources import Mapping
from gnn.sources.mapping import ROLE_LABELS
from webapp.enums import DatasetState, FeedbackKind, FileKind
from webapp.models import Dataset, DatasetFile, FeedbackEvent, Model
from webapp.selectors.feedback import INTERACTION_KINDS, feedback_dataset
from webapp.services.dataset_files import MAX_FILES, dataset_version_start
from webapp.services.datasets import dataset_confirm
from webapp.services.errors import Conflict

SCHEMA = {
    "user": pl.String, "item": pl.String, "timestamp": pl.Int64, "behaviour": pl.String, "label": pl.Float64, "weight": pl.Float64,
}  # fmt: skip
"""Columns of a file of events; ``timestamp`` is in Unix seconds."""
ROWS_AT_ONCE = 10_000
OPEN_STATES = (DatasetState.UPLOADED, DatasetState.INGESTING, DatasetState.INVALID)


@transaction.atomic
def feedback_dataset_make(*, owner: User | None, model_id: int, kinds: Sequence[FeedbackKind], weight: float | None = None) -> Dataset:
    """Have the next version of a model's dataset read, with the events of these kinds that wait as further interactions.

    The events of earlier versions are in it, too. They go back to waiting when the version is deleted.

    Args:
        weight: what an event counts, where the dataset has weights.

    Raises:
        Model.DoesNotExist: there is no such model.
        Conflict: no event waits, the next version is made by somebody else, or the dataset says more of a row than events do.
    """
    model = Model.objects.select_for_update().get(pk=model_id)  # of several at once, each takes up what those before it left
    base = feedback_dataset(model)
    if base is None:
        raise Conflict(f"{model} has no version that was searched here on a dataset that is ready, so there is nothing to append to.")
    if unfit := [kind.label for kind in kinds if kind not in INTERACTION_KINDS]:
        raise Conflict(f"{unfit[0]} events are no interactions; clicks and purchases are.")
    mapping = _mapping(base, weight)
    if (other := base.next_versions.filter(state__in=OPEN_STATES).first()) is not None:
        raise Conflict(
            f"Version {other.version} of dataset “{base.name}” is there but not ready ({other.get_state_display().lower()}). "
            "Finish or delete it first."
        )
    draft = dataset_version_start(owner=owner, dataset_id=base.pk)
    taken = FeedbackEvent.objects.filter(model=model, dataset=None, kind__in=kinds).update(dataset=draft)
    if not taken:
        raise Conflict("No event of these kinds waits.")
    _append(draft, model, mapping, weight)
    return dataset_confirm(
        dataset_id=draft.pk, mapping=Mapping.from_json(draft.mapping), preparation=Preparation.from_json(draft.preparation)
    )


def _mapping(base: Dataset, weight: float | None) -> Mapping:
    """How a file of events is read beside the files of ``base``: what not all files have would be left out of all.

    Raises:
        Conflict: the rows of ``base`` say what events do not.
    """
    of_base = Mapping.from_json(base.mapping)
    roles = list(of_base.columns) or ["user", "item"]
    if of_base.behaviour is not None:
        roles.append("behaviour")
    if of_base.part is not None:
        raise Conflict(f"Dataset “{base.name}” comes divided into training and test, and events are of neither part.")
    if of_base.domain is not None:
        roles.append("domain")
    if lacking := [ROLE_LABELS[role].lower() for role in roles if role not in SCHEMA]:
        raise Conflict(f"The rows of dataset “{base.name}” have a {lacking[0]}, which events do not tell.")
    if "weight" in roles and weight is None:
        raise Conflict(f"The rows of dataset “{base.name}” have weights. Say what an event counts.")
    return Mapping(source="parquet", columns={role: role for role in roles}, timestamp_unit="s")


def _append(draft: Dataset, model: Model, mapping: Mapping, weight: float | None) -> None:
    """Put the events that ``draft`` took up into its file of events, after those of earlier versions."""
    filename = f"feedback-{model.name}.parquet"
    file = draft.files.filter(kind=FileKind.INTERACTIONS, filename=filename).first()
    if file is None:
        if draft.files.count() >= MAX_FILES:
            raise Conflict(f"Dataset “{draft.name}” has {MAX_FILES} further files; join some of them first.")
        file = DatasetFile(dataset=draft, kind=FileKind.INTERACTIONS, filename=filename)
    events = FeedbackEvent.objects.filter(dataset=draft).order_by("at", "id").values_list("user", "item", "at", "kind")
    frames = [_frame(rows, weight) for rows in _batches(events.iterator(chunk_size=ROWS_AT_ONCE), ROWS_AT_ONCE)]
    if file.source_blob:
        with default_storage.open(file.source_blob) as before:
            frames.insert(0, pl.read_parquet(before.read()))
    with tempfile.NamedTemporaryFile(suffix=".parquet") as table:
        pl.concat(frames).write_parquet(table)
        file.source_blob = default_storage.save("source", File(table))
    file.mapping = mapping.to_json()
    file.save()


def _batches(rows: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while some := list(islice(rows, size)):
        yield some


def _frame(rows: list[Any], weight: float | None) -> pl.DataFrame:
    users, items, times, kinds = zip(*rows, strict=True)
    return pl.DataFrame(
        {
            "user": users, "item": items, "timestamp": [int(at.astimezone(UTC).timestamp()) for at in times], "behaviour": kinds,
            "label": [1.0] * len(rows), "weight": [weight] * len(rows),
        },
        schema=SCHEMA,
    )  # fmt: skip
