"""What a library that breaks on a file's content becomes: an error that names the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl

from gnn.errors import DataError


@contextmanager
def panics_told(filename: str) -> Iterator[None]:
    """Turn a panic of polars, which is no Exception and would pass all handlers, into a DataError."""
    try:
        yield
    except pl.exceptions.PanicException as error:
        raise DataError(
            f"Something in {filename} breaks the table library ({str(error)[:200] or 'it does not say why'}). "
            "Check times and numbers that are out of all bounds, or write the file again as CSV."
        ) from error
