"""Files in PostgreSQL: content-addressed, in parts, behind Django's storage interface.

Workers on other hosts need no shared disk, and one backup holds everything.
"""

from __future__ import annotations

import errno
import hashlib
import io
import struct
from typing import Any

from django.core.files.base import File
from django.core.files.storage import Storage
from django.db import IntegrityError, connection, transaction

from webapp.models import Blob, BlobPart

PART_BYTES = 1 << 20
"""Size of every part but the last; readers rely on it, so it never changes."""

_COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_COPY_END = struct.pack("!h", -1)


class PostgresStorage(Storage):
    """Keeps each file once under the SHA-256 of its content; the wanted name is ignored."""

    def _save(self, name: str, content: File[Any]) -> str:
        del name
        digest = hashlib.sha256()
        arrived = _arrived_blob(content)
        content.seek(0)
        with transaction.atomic():
            blob = arrived or Blob.objects.create()
            while part := content.read(PART_BYTES):
                digest.update(part)
                if arrived is None:
                    blob_append(blob, part)
            return _seal(blob, digest.hexdigest())

    def _open(self, name: str, mode: str = "rb") -> File[bytes]:
        if mode != "rb":
            raise ValueError(f"Blobs are immutable: they open with mode 'rb', not {mode!r}.")
        blob = Blob.objects.filter(name=name).first()
        if blob is None:
            raise FileNotFoundError(f"There is no blob {name!r}.")
        return blob_file(blob)

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        del max_length
        return name

    def exists(self, name: str) -> bool:
        return Blob.objects.filter(name=name).exists()

    def size(self, name: str) -> int:
        return Blob.objects.values_list("size", flat=True).get(name=name)

    def delete(self, name: str) -> None:
        Blob.objects.filter(name=name).delete()


def blob_append(blob: Blob, data: bytes) -> None:
    """Add to the end of a blob that is not complete; only the last piece may be other than whole parts.

    COPY takes the bytes as they are, where INSERT would spell each in hexadecimal.
    """
    if blob.name or blob.size % PART_BYTES:
        raise ValueError(f"Blob {blob.pk} has its last part; nothing can follow.")
    rows = io.BytesIO()
    rows.write(_COPY_HEADER)
    for at in range(0, len(data), PART_BYTES):
        part = data[at : at + PART_BYTES]
        rows.write(struct.pack("!hiqiii", 3, 8, blob.pk, 4, (blob.size + at) // PART_BYTES, len(part)))
        rows.write(part)
    rows.write(_COPY_END)
    rows.seek(0)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.copy_expert("COPY webapp_blobpart (blob_id, index, data) FROM STDIN (FORMAT binary)", rows)
        blob.size += len(data)
        blob.save(update_fields=["size"])


def blob_file(blob: Blob) -> File[bytes]:
    """A blob, complete or not, as a file. Saved in turn, the file is adopted instead of copied."""
    # A name in any case: Django's files without one count as false, and zipfile takes what is false for closed.
    return File(io.BufferedReader(_BlobReader(blob), PART_BYTES), name=blob.name or "arriving")


def _arrived_blob(content: File[Any]) -> Blob | None:
    """The nameless blob that ``content`` reads from, if it is one."""
    raw = getattr(content.file, "raw", None)
    return raw.blob if isinstance(raw, _BlobReader) and not raw.blob.name else None


def _seal(blob: Blob, address: str) -> str:
    """Name a complete blob after its content; of two with the same content one stays."""
    while True:
        # Locked until the caller's transaction has stored the name too, so that nobody frees the blob in between.
        if Blob.objects.select_for_update(no_key=True).filter(name=address).exists():
            blob.delete()
            return address
        try:
            with transaction.atomic():
                Blob.objects.filter(pk=blob.pk).update(name=address)
                return address
        except IntegrityError:
            continue  # another took the name just now


class _BlobReader(io.RawIOBase):
    """Fetches one part at a time, so that looking at the head of a large file costs one part."""

    def __init__(self, blob: Blob) -> None:
        self.blob, self._position = blob, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.blob.size}[whence]
        if base + offset < 0:
            # As a file on disk does, which zipfile counts on.
            raise OSError(errno.EINVAL, f"Cannot seek to {base + offset}, before the start of the blob")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        index, skip = divmod(self._position, PART_BYTES)
        data = BlobPart.objects.filter(blob=self.blob, index=index).values_list("data", flat=True).first()
        if data is None:
            if self._position < self.blob.size:
                raise FileNotFoundError(f"Part {index} of blob {self.blob.name} is missing.")
            return 0
        piece = memoryview(data).cast("B")[skip : skip + len(buffer)]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def readall(self) -> bytes:
        """All that is left, a part at a time; the inherited way fetches a part for every 8 KiB of it."""
        return b"".join(iter(lambda: self.read(PART_BYTES), b""))


def bytes_file(data: bytes) -> File[bytes]:
    """Wrap bytes for ``default_storage.save``."""
    return File(io.BytesIO(data))
