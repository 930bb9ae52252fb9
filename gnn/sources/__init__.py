"""Readers of interaction files. Each module offers ``detect`` and ``read``; ``SOURCES`` lists them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from gnn.interactions import Interactions
from gnn.sources import delimited
from gnn.sources.delimited import Detected
from gnn.sources.mapping import Delimiter, Encoding, Mapping
from gnn.sources.rejects import Rejects


@dataclass(frozen=True)
class Source:
    """One kind of file."""

    label: str
    detect: Callable[..., Detected]
    read: Callable[[IO[bytes], Mapping, str], tuple[Interactions, Rejects]]


SOURCES: dict[str, Source] = {
    "delimited": Source("delimited text", delimited.detect, delimited.read),
}
"""By the name that ``Mapping.source`` stores."""


def detect(
    file: IO[bytes],
    filename: str,
    *,
    delimiter: Delimiter | None = None,
    has_header: bool | None = None,
    encoding: Encoding | None = None,
) -> Detected:
    """Look at the head of a file; what is given is taken as said, the rest is guessed.

    Raises:
        DataError: the file cannot be read, whatever the choices.
    """
    return SOURCES["delimited"].detect(file, filename, delimiter=delimiter, has_header=has_header, encoding=encoding)


def read(file: IO[bytes], mapping: Mapping, filename: str) -> tuple[Interactions, Rejects]:
    """Read a file as its mapping says; ``filename`` is for messages.

    Raises:
        DataError: the file cannot be read so; the message says what, where and what to do.
    """
    return SOURCES[mapping.source].read(file, mapping, filename)


__all__ = ["SOURCES", "Detected", "Mapping", "Rejects", "Source", "detect", "read"]
