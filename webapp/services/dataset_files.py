"""Further files of a dataset that is not read yet: more rows, parts of a split, side tables; and new versions, which take them up."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, cast

from django.contrib.auth.models import User
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction

from gnn import sources
from gnn.errors import DataError
from gnn.sources import Detected, Mapping
from gnn.sources.detection import Kind
from gnn.sources.mapping import TableFormat
from gnn.sources.side_guess import guess_side_mapping
from webapp.enums import AuditVerb, DatasetState, FileKind
from webapp.models import Dataset, DatasetFile
from webapp.services.audit import event_record
from webapp.services.blob_release import blob_names, blobs_release
from webapp.services.errors import Conflict
from webapp.uploads import decompression_limits

OPEN_STATES = (DatasetState.UPLOADED, DatasetState.INVALID)
MAX_FILES = 50


def dataset_version_start(*, owner: User | None, dataset_id: int) -> Dataset:
    """A new version of a READY dataset that begins with its files, mapping and preparation; searches stay with the old one.

    While the next version is not read, it is given again instead of another.

    Raises:
        Dataset.DoesNotExist: there is no such dataset.
        Conflict: it is not READY.
    """
    with transaction.atomic():
        base = Dataset.objects.select_for_update().get(pk=dataset_id)
        if base.state != DatasetState.READY:
            raise Conflict(f"Dataset “{base.name}” is not ready yet, so it can still be changed itself.")
        draft = base.next_versions.filter(state__in=OPEN_STATES).first()
        if draft is not None:
            return draft
        draft = Dataset.objects.create(
            name=base.name, owner=owner, filename=base.filename, source_blob=base.source_blob, mapping=base.mapping,
            preparation=base.preparation, previous=base, version=base.version + 1,
        )  # fmt: skip
        DatasetFile.objects.bulk_create(
            DatasetFile(dataset=draft, kind=file.kind, filename=file.filename, source_blob=file.source_blob, mapping=file.mapping)
            for file in base.files.order_by("id")
        )
        event_record(AuditVerb.VERSION, base, version=draft.version)
        return draft


def dataset_file_add(*, dataset_id: int, kind: FileKind, filename: str, file: File[Any]) -> DatasetFile:
    """Store a further file with the mapping that seems right for it, or none where nothing does.

    Raises:
        Dataset.DoesNotExist: there is no such dataset.
        DataError: the file cannot be read, whatever the mapping; nothing is stored.
        Conflict: the dataset is being read or READY, or has too many files.
    """
    detected = sources.detect(file, filename, limits=decompression_limits())
    with transaction.atomic():
        dataset = _open(dataset_id)
        if dataset.files.count() >= MAX_FILES:
            raise Conflict(f"Dataset “{dataset.name}” has {MAX_FILES} further files; join some of them first.")
        added = DatasetFile.objects.create(
            dataset=dataset,
            kind=kind,
            filename=PurePath(filename).name[-255:],
            source_blob=default_storage.save("source", file),
            mapping=_likely_mapping(dataset, kind, detected),
        )
        event_record(AuditVerb.CHANGE, dataset, file_added=added.filename)
        return added


def dataset_file_map(*, file_id: int, mapping: TableFormat) -> DatasetFile:
    """Say how a further file is read.

    Raises:
        DatasetFile.DoesNotExist: there is no such file.
        Conflict: its dataset is being read or READY.
    """
    with transaction.atomic():
        file = DatasetFile.objects.get(pk=file_id)
        dataset = _open(file.dataset_id)
        file.mapping = mapping.to_json()
        file.save(update_fields=["mapping"])
        event_record(AuditVerb.CHANGE, dataset, file_read_as=file.filename)
        return file


def dataset_file_remove(*, file_id: int) -> None:
    """Take a further file away again; one that is gone stays so.

    Raises:
        Conflict: its dataset is being read or READY.
    """
    with transaction.atomic():
        file = DatasetFile.objects.filter(pk=file_id).first()
        if file is None:
            return
        dataset = _open(file.dataset_id)
        names = blob_names(DatasetFile.objects.filter(pk=file_id))
        event_record(AuditVerb.CHANGE, dataset, file_removed=file.filename)
        file.delete()
        blobs_release(names)


def _open(dataset_id: int) -> Dataset:
    dataset = Dataset.objects.select_for_update().get(pk=dataset_id)
    if dataset.state not in OPEN_STATES:
        raise Conflict(f"The files of “{dataset.name}” do not change any more. Make a new version for other files.")
    return dataset


def _likely_mapping(dataset: Dataset, kind: FileKind, detected: Detected) -> dict[str, Any]:
    try:
        if kind != FileKind.INTERACTIONS:
            return guess_side_mapping(detected, cast(Kind, kind.value)).to_json()
        if dataset.mapping:
            with default_storage.open(dataset.source_blob) as first:
                if sources.detect(first, dataset.filename, limits=decompression_limits()).shape == detected.shape:
                    return detected.adapted(Mapping.from_json(dataset.mapping)).model_copy(update={"part": None}).to_json()
        return detected.mapping().to_json()
    except DataError:
        return {}  # a person has to say it
