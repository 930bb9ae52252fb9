"""Files in PostgreSQL: content-addressed, in parts, behind Django's storage interface.

Workers on other hosts need no shared disk, and one backup holds everything.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from django.core.files.base import File
from django.core.files.storage import Storage
from django.db import IntegrityError, transaction

from webapp.models import Blob, BlobPart

PART_BYTES = 1 << 20


class PostgresStorage(Storage):
    """Keeps each file once under the SHA-256 of its content; the wanted name is ignored."""

    def _save(self, name: str, content: File[Any]) -> str:
        del name
        digest = hashlib.sha256()
        with transaction.atomic():
            blob = Blob.objects.create()
            size = 0
            for index, part in enumerate(_parts(content)):
                digest.update(part)
                size += len(part)
                BlobPart.objects.create(blob=blob, index=index, data=part)
            address = digest.hexdigest()
            try:
                with transaction.atomic():
                    Blob.objects.filter(pk=blob.pk).update(name=address, size=size)
            except IntegrityError:
                blob.delete()  # the same content is here already
            return address

    def _open(self, name: str, mode: str = "rb") -> File[bytes]:
        if mode != "rb":
            raise ValueError(f"Blobs are immutable: they open with mode 'rb', not {mode!r}.")
        blob = Blob.objects.filter(name=name).first()
        if blob is None:
            raise FileNotFoundError(f"There is no blob {name!r}.")
        spool: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=8 * PART_BYTES)  # noqa: SIM115 (the caller closes it)
        for data in BlobPart.objects.filter(blob=blob).order_by("index").values_list("data", flat=True).iterator(chunk_size=4):
            spool.write(data)
        spool.seek(0)
        return File(spool, name=name)

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        del max_length
        return name

    def exists(self, name: str) -> bool:
        return Blob.objects.filter(name=name).exists()

    def size(self, name: str) -> int:
        return Blob.objects.values_list("size", flat=True).get(name=name)

    def delete(self, name: str) -> None:
        Blob.objects.filter(name=name).delete()


def _parts(content: File[Any]) -> Iterator[bytes]:
    content.seek(0)
    while part := content.read(PART_BYTES):
        yield part


def bytes_file(data: bytes) -> File[bytes]:
    """Wrap bytes for ``default_storage.save``."""
    return File(io.BytesIO(data))
