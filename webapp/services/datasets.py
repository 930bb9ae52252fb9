"""From an uploaded file to a READY dataset. Every change of state is a conditional UPDATE, so that repeats change nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from gnn import sources
from gnn.errors import DataError
from gnn.preparation import Preparation
from gnn.sources import Mapping
from gnn.sources.mapping import TableFormat
from gnn.sources.panics import panics_told
from webapp.enums import AuditVerb, DatasetState, FileKind
from webapp.models import Dataset, DatasetFile
from webapp.queue import INGEST_DATASET, enqueue_on_commit
from webapp.services.audit import event_record
from webapp.services.errors import Conflict
from webapp.services.ingestion import Ingestion
from webapp.uploads import decompression_limits

logger = logging.getLogger(__name__)

MAX_MESSAGE = 2000
MAX_INGEST_ATTEMPTS = 3
LOST_MESSAGE = (
    f"The worker died {MAX_INGEST_ATTEMPTS} times while reading this file, most likely for lack of memory. "
    "Use a larger machine or a smaller file, then confirm the columns again."
)


def dataset_upload(*, owner: User | None, name: str, filename: str, file: File[Any]) -> Dataset:
    """Store a file as an UPLOADED dataset; an empty ``name`` becomes the file's.

    Raises:
        DataError: the file is too large or cannot be a table of text; nothing is stored.
    """
    upload_check(filename=filename, file=file)
    with transaction.atomic():
        return _create(owner=owner, name=name, filename=filename, file=file)


def dataset_confirm(*, dataset_id: int, mapping: Mapping, preparation: Preparation | None = None) -> Dataset:
    """Start reading a dataset as ``mapping`` and ``preparation`` say; a second press of the button changes nothing.

    Raises:
        Dataset.DoesNotExist: there is no such dataset.
        Conflict: it is being read or READY with another mapping.
    """
    documents = {"mapping": mapping.to_json(), "preparation": preparation.to_json() if preparation else {}}
    with transaction.atomic():
        waiting = Dataset.objects.filter(pk=dataset_id, state__in=(DatasetState.UPLOADED, DatasetState.INVALID))
        started = waiting.update(state=DatasetState.INGESTING, **documents, message="", ingest_attempts=0, rows_read=None)
        if started:
            enqueue_on_commit(INGEST_DATASET, dataset_id)
        dataset = Dataset.objects.get(pk=dataset_id)
        if started:
            event_record(AuditVerb.READ, dataset)
    if not started and {"mapping": dataset.mapping, "preparation": dataset.preparation} != documents:
        if dataset.state == DatasetState.READY:
            raise Conflict(f"Dataset “{dataset.name}” is ready and does not change any more. Upload the file again to read it differently.")
        raise Conflict(f"Dataset “{dataset.name}” is being read with other columns. Wait until that ends.")
    return dataset


@dataclass(frozen=True)
class ImportFile:
    """A further file to import."""

    kind: FileKind
    filename: str
    file: File[Any]
    mapping: TableFormat


def dataset_import(
    *, owner: User | None, name: str, filename: str, file: File[Any], mapping: Mapping, further: Sequence[ImportFile] = ()
) -> Dataset:
    """Upload, confirm and ingest in this process, without a worker; the dataset comes back READY or INVALID.

    Raises:
        DataError: as for ``dataset_upload``.
    """
    for each in ((filename, file), *((other.filename, other.file) for other in further)):
        upload_check(filename=each[0], file=each[1])
    with transaction.atomic():
        dataset = _create(owner=owner, name=name, filename=filename, file=file, state=DatasetState.INGESTING, mapping=mapping.to_json())
        for other in further:
            DatasetFile.objects.create(
                dataset=dataset,
                kind=other.kind,
                filename=other.filename[-255:],
                source_blob=default_storage.save("source", other.file),
                mapping=other.mapping.to_json(),
            )
    return dataset_ingest(dataset_id=dataset.pk)


def dataset_ingest(*, dataset_id: int) -> Dataset:
    """Read the file of an INGESTING dataset, which becomes READY, or INVALID with the reason; otherwise do nothing.

    Two at once both read, and the first to finish writes.
    """
    dataset = Dataset.objects.get(pk=dataset_id)
    if dataset.state != DatasetState.INGESTING:
        return dataset
    # The mapping is part of the condition: after a correction, a late run with the old one must not win.
    same = Dataset.objects.filter(pk=dataset_id, state=DatasetState.INGESTING, mapping=dataset.mapping, preparation=dataset.preparation)
    if dataset.ingest_attempts >= MAX_INGEST_ATTEMPTS:
        same.update(state=DatasetState.INVALID, message=LOST_MESSAGE)
        dataset.refresh_from_db()
        return dataset
    same.update(ingest_attempts=F("ingest_attempts") + 1)
    try:
        _ingest(dataset, same)
    except _Unwanted:
        logger.info("The reading of dataset %s was given up: it is no longer wanted.", dataset_id)
    except DataError as error:
        same.update(state=DatasetState.INVALID, message=str(error)[:MAX_MESSAGE])
    except FileNotFoundError:
        same.update(state=DatasetState.INVALID, message="The uploaded file is no longer in storage. Upload it again.")
    except MemoryError:
        same.update(
            state=DatasetState.INVALID, message="The file does not fit the memory of the worker. Use a larger machine or a smaller file."
        )
    except Exception:
        logger.exception("Dataset %s could not be read.", dataset_id)
        same.update(state=DatasetState.INVALID, message="An unexpected error occurred while reading; the worker's log has it. Try again.")
        raise
    dataset.refresh_from_db()
    return dataset


def size_check(*, filename: str, size: int) -> None:
    """Refuse a file that is larger than the server takes.

    Raises:
        DataError: it is; the message says what to do.
    """
    limit = settings.RECSMITH_UPLOAD_LIMIT_MB
    if size > limit * 1_000_000:
        raise DataError(
            f"{filename} has {size / 1e6:,.0f} MB; at most {limit:,} MB can be uploaded. "
            "Compress it with gzip, leave out columns, or raise RECSMITH_UPLOAD_LIMIT_MB."
        )


def upload_check(*, filename: str, file: File[Any]) -> sources.Detected:
    """What the file looks like.

    Raises:
        DataError: it is too large, or no choice of columns could make it a dataset.
    """
    size_check(filename=filename, size=file.size)
    return sources.detect(file, filename, limits=decompression_limits())


def _create(*, owner: User | None, name: str, filename: str, file: File[Any], **fields: Any) -> Dataset:
    dataset = Dataset.objects.create(
        name=(name.strip() or PurePath(filename).name.split(".")[0] or filename)[:200],
        owner=owner,
        filename=filename[-255:],
        source_blob=default_storage.save("source", file),
        **fields,
    )
    event_record(AuditVerb.UPLOAD, dataset)
    return dataset


class _Unwanted(Exception):
    """The reading was cancelled, or another one has finished."""


def _ingest(dataset: Dataset, same: QuerySet[Dataset]) -> None:
    def on_rows(rows: int) -> None:
        if not same.update(rows_read=rows):
            raise _Unwanted

    with panics_told(dataset.filename), Ingestion(dataset, on_rows) as ingestion:
        described = ingestion.run()
        with transaction.atomic():
            # First the row, whose lock makes a second run wait here instead of after storing the same data.
            if same.update(state=DatasetState.READY, profile=described, ingested_at=Now()):
                Dataset.objects.filter(pk=dataset.pk).update(data_blob=ingestion.store())
