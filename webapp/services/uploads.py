"""A file arrives in chunks: each is stored or refused as a whole, so that a broken connection goes on where it stopped."""

from __future__ import annotations

from datetime import timedelta
from pathlib import PurePath
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from gnn.errors import DataError
from webapp.blobs import PART_BYTES, blob_append, blob_file
from webapp.enums import FileKind
from webapp.models import Blob, Dataset, Upload
from webapp.services.dataset_files import dataset_file_add
from webapp.services.datasets import dataset_upload, size_check
from webapp.services.errors import Conflict

CHUNK_BYTES = 4 * PART_BYTES
"""What a sender sends at once. Every web thread may hold one in memory."""


def upload_start(*, owner: User, filename: str, size: int, name: str = "", dataset: Dataset | None = None, kind: str = "") -> Upload:
    """Make room for a file of ``size`` bytes that becomes a dataset, or a further file of ``dataset``.

    Raises:
        DataError: it is larger than the server takes; nothing is stored.
        Conflict: this person has too many unfinished uploads already.
    """
    size_check(filename=filename, size=size)
    filename = PurePath(filename).name[-255:] or "file"
    with transaction.atomic():
        User.objects.select_for_update().get(pk=owner.pk)  # of several starts at once, each counts those before it
        if Upload.objects.filter(owner=owner, blob__isnull=False).count() >= settings.RECSMITH_OPEN_UPLOADS:
            raise Conflict(
                f"You have {settings.RECSMITH_OPEN_UPLOADS} unfinished uploads, as many as this server keeps for one person. "
                "Finish or discard one of them; the page for uploads lists them."
            )
        return Upload.objects.create(
            owner=owner, filename=filename, size=size, name=name[:200], dataset=dataset, kind=kind, blob=Blob.objects.create()
        )


def upload_append(*, owner: User, upload_id: UUID, offset: int, data: bytes) -> Upload:
    """Store the bytes from ``offset`` on.

    Raises:
        Upload.DoesNotExist: it was cancelled, or is another person's.
        Conflict: something else is expected at this point, such as another offset after a lost answer.
        DataError: the file has more bytes than announced; the upload is dropped.
    """
    with transaction.atomic():
        upload = _locked(owner, upload_id)
        if upload.blob is None:
            raise Conflict("The file is complete.")
        if offset != upload.blob.size:
            raise Conflict(f"The next byte is number {upload.blob.size}, not {offset}.")
        grown = offset + len(data) > upload.size
        if not grown:
            if offset + len(data) < upload.size and (not data or len(data) % PART_BYTES):
                raise Conflict(f"A chunk that does not end the file must have a multiple of {PART_BYTES} bytes.")
            blob_append(upload.blob, data)
            upload.save(update_fields=["touched_at"])
    if grown:
        upload_cancel(owner=owner, upload_id=upload_id)
        raise DataError(f"{upload.filename} changed while it was sent: it has more bytes than at the start. Upload it again.")
    return upload


def upload_finish(*, owner: User, upload_id: UUID, name: str = "") -> Dataset:
    """Turn a complete upload into a dataset or into a further file of one; asked again, give that dataset.

    ``name`` goes before the one said at the start, which may be long ago.

    Raises:
        Upload.DoesNotExist: it was cancelled, or is another person's.
        Conflict: bytes are missing, or the dataset takes no further file.
        DataError: the file cannot be read; the upload is dropped.
    """
    try:
        with transaction.atomic():
            upload = _locked(owner, upload_id)
            if upload.blob is None:
                assert upload.dataset is not None
                return upload.dataset
            if upload.blob.size != upload.size:
                raise Conflict(f"{upload.blob.size:,} of {upload.size:,} bytes of {upload.filename} have arrived.")
            return _finish(owner, upload, upload.blob, name[:200] or upload.name)
    except DataError:
        upload_cancel(owner=owner, upload_id=upload_id)
        raise


def upload_cancel(*, owner: User, upload_id: UUID) -> None:
    """Drop what arrived of an unfinished upload; one that is finished or gone stays so."""
    with transaction.atomic():
        upload = Upload.objects.select_for_update().filter(pk=upload_id, owner=owner, blob__isnull=False).first()
        if upload is not None:
            _drop(upload)


def uploads_expire() -> None:
    """Drop the uploads that nobody goes on with, and the notes of those that finished."""
    old = Upload.objects.filter(touched_at__lt=Now() - timedelta(hours=settings.RECSMITH_UPLOAD_KEEP_HOURS))
    for upload_id in old.values_list("pk", flat=True):
        with transaction.atomic():
            upload = old.select_for_update(skip_locked=True).filter(pk=upload_id).first()
            if upload is not None:
                _drop(upload)


def _finish(owner: User, upload: Upload, blob: Blob, name: str) -> Dataset:
    upload.blob = None
    upload.save(update_fields=["blob", "touched_at"])
    file = blob_file(blob)
    if upload.dataset is not None:
        dataset_file_add(dataset_id=upload.dataset.pk, kind=FileKind(upload.kind), filename=upload.filename, file=file)
    else:
        upload.dataset = dataset_upload(owner=owner, name=name, filename=upload.filename, file=file)
        upload.save(update_fields=["dataset"])
    Blob.objects.filter(pk=blob.pk, name=None).delete()  # copied: files are kept elsewhere than here
    return upload.dataset


def _locked(owner: User, upload_id: UUID) -> Upload:
    # The blob is fetched after the lock: joined, it would show its size of before the wait.
    return Upload.objects.select_for_update().get(pk=upload_id, owner=owner)


def _drop(upload: Upload) -> None:
    blob = upload.blob
    upload.delete()
    if blob is not None:
        blob.delete()
