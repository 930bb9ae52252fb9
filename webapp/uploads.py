from __future__ import annotations

from typing import IO, Any

from django.conf import settings
from django.core.files.uploadhandler import StopUpload, TemporaryFileUploadHandler
from django.http import HttpRequest, UnreadablePostError

from gnn.sources import Limits

FORM_BYTES = 1_000_000
"""Room for the other fields of a form."""


class LimitedUploadHandler(TemporaryFileUploadHandler):
    """Streams files to disk, and drops a request that is larger than any file may be before it fills the disk."""

    def handle_raw_input(
        self, input_data: IO[bytes], META: dict[str, str], content_length: int, boundary: bytes | str, encoding: str | None = None
    ) -> None:
        self.too_large = content_length > upload_limit_bytes() + FORM_BYTES

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        if self.too_large:
            # Read to the end and forget: a browser that cannot finish sending shows no answer.
            raise StopUpload(connection_reset=False)
        super().new_file(*args, **kwargs)


def decompression_limits() -> Limits:
    """How much a compressed upload may hold."""
    return Limits(max_bytes=settings.RECSMITH_DECOMPRESS_LIMIT_MB * 1_000_000, max_ratio=settings.RECSMITH_DECOMPRESS_RATIO)


def upload_limit_bytes() -> int:
    return settings.RECSMITH_UPLOAD_LIMIT_MB * 1_000_000


def too_large(request: HttpRequest) -> bool:
    """Whether a form came with more than a file may have, so that its file was dropped."""
    return int(request.META.get("CONTENT_LENGTH") or 0) > upload_limit_bytes() + FORM_BYTES


class ChunkRefused(Exception):
    """A chunk cannot be taken as it was sent; ``status`` is that of the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def header_number(request: HttpRequest, name: str) -> int | None:
    """A header that is a whole number from 0; None if it is missing or anything else."""
    text = request.headers.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def chunk_read(request: HttpRequest, *, limit: int) -> bytes:
    """The body of a request that sends a chunk, which may have ``limit`` bytes.

    Raises:
        ChunkRefused: it has more, or did not arrive as announced.
    """
    length = header_number(request, "Content-Length")
    if length is None:
        raise ChunkRefused(400, "Content-Length must be a whole number.")
    if length > limit:
        raise ChunkRefused(413, f"A chunk may have {limit} bytes, but this one has {length}.")
    try:
        data = request.read(length)
    except UnreadablePostError:
        data = b""
    if len(data) != length:
        raise ChunkRefused(400, "The connection broke.")
    return data
