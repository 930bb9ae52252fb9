"""Looking into an uploaded file before it is read."""

from __future__ import annotations

from typing import Any

from django.core.files.storage import default_storage

from gnn import sources
from webapp.uploads import decompression_limits


def file_detected(source_blob: str, filename: str, **choices: Any) -> sources.Detected:
    """What the head of a stored file looks like; ``choices`` are those of ``gnn.sources.detect``.

    Raises:
        DataError: it cannot be read so.
        FileNotFoundError: it is no longer stored.
    """
    with default_storage.open(source_blob) as file:
        return sources.detect(file, filename, limits=decompression_limits(), **choices)
