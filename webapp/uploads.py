from __future__ import annotations

from typing import IO, Any

from django.conf import settings
from django.core.files.uploadhandler import StopUpload, TemporaryFileUploadHandler

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
