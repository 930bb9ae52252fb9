"""Parquet: columns with names and types, read as text batch by batch."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from typing import IO, cast

import polars as pl
import pyarrow
import pyarrow.parquet

from gnn.errors import DataError
from gnn.sources.compression import Compression, Limits, PlainBytes
from gnn.sources.detection import Detected
from gnn.sources.fields import BLANKS
from gnn.sources.json_lines import LIST_SEPARATOR, MAX_COLUMNS
from gnn.sources.layout import SAMPLE_LINES, position_of
from gnn.sources.mapping import Column
from gnn.sources.records import Records, Table
from gnn.sources.rejects import Example, Reason

_BATCH_ROWS = 1 << 17
_COPY_BYTES = 1 << 20
_BYTES_PER_VALUE = 8


def detect(file: IO[bytes], filename: str, compression: Compression, limits: Limits) -> Detected:
    """Look at the first rows.

    Raises:
        DataError: the file is damaged, has no row, or is too large when decompressed.
    """
    opened = _open(file, filename, limits)
    names = opened.schema_arrow.names
    if len(names) > MAX_COLUMNS:
        raise DataError(f"{filename} has {len(names):,} columns, more than {MAX_COLUMNS:,}.")
    table = next(_batches(opened, names, filename, SAMPLE_LINES), pl.DataFrame())
    if table.is_empty():
        raise DataError(f"The file {filename} has columns ({', '.join(names[:20])}), but no rows.")
    return Detected.of(filename, names, table.rows(), source="parquet", label="Parquet", confidence=1.0, compression=compression)


def open_table(file: IO[bytes], columns: Mapping[str, Column], filename: str, limits: Limits) -> Table:
    """The given columns as text; null is empty. The number of a row, from 1, stands for its line.

    Raises:
        DataError: a column is missing; the file is damaged.
    """
    opened = _open(file, filename, limits)
    names = opened.schema_arrow.names
    wanted: dict[str, str] = {}
    for key, column in columns.items():
        if isinstance(column, int) and column >= len(names):
            raise DataError(f"There is no column {column + 1} for the {key}: the file has {len(names)} column(s).")
        name = wanted[key] = names[column if isinstance(column, int) else position_of(names, column, key)]
        dtype = opened.schema_arrow.field(name).type
        if pyarrow.types.is_nested(dtype) and not (pyarrow.types.is_list(dtype) or pyarrow.types.is_large_list(dtype)):
            raise DataError(f"Column {name!r} of {filename} holds structures ({dtype}), which cannot be read. Flatten it first.")
    return Table(wanted, _records(opened, wanted, filename))


def on_disk(file: IO[bytes], plain: PlainBytes) -> IO[bytes]:
    """The decompressed file where Arrow can read it: from its end, and from threads of its own, as a database cannot be read."""
    if not plain.compression and _is_real(file):
        return file
    with tempfile.NamedTemporaryFile() as copy:
        while block := plain.read(_COPY_BYTES):
            copy.write(block)
        copy.flush()
        # The mapping outlives the name of the file, and takes the file with it when it goes.
        return cast(IO[bytes], pyarrow.memory_map(copy.name))


def _is_real(file: IO[bytes]) -> bool:
    try:
        file.fileno()
    except (AttributeError, OSError):
        return False
    return True


def _open(file: IO[bytes], filename: str, limits: Limits) -> pyarrow.parquet.ParquetFile:
    file.seek(0)
    try:
        opened = pyarrow.parquet.ParquetFile(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"The Parquet file {filename} is damaged or incomplete ({error}). Write or upload it again.") from error
    meta = opened.metadata
    size = max(sum(meta.row_group(at).total_byte_size for at in range(meta.num_row_groups)), _BYTES_PER_VALUE * meta.num_rows)
    if size > limits.max_bytes:
        raise DataError(
            f"{filename} holds {size / 1e6:,.0f} MB when decompressed; the limit of this server is {limits.max_bytes / 1e6:,.0f} MB."
        )
    return opened


def _batches(opened: pyarrow.parquet.ParquetFile, names: list[str], filename: str, size: int) -> Iterator[pl.DataFrame]:
    try:
        for batch in opened.iter_batches(batch_size=size, columns=names):
            table = pl.DataFrame(pl.from_arrow(batch))
            yield table.select(_as_text(table[name]) for name in names)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"The Parquet file {filename} is damaged ({error}). Write or upload it again.") from error


def _records(opened: pyarrow.parquet.ParquetFile, wanted: dict[str, str], filename: str) -> Iterator[Records]:
    first_row = 1
    for texts in _batches(opened, list(wanted.values()), filename, _BATCH_ROWS):
        rows = pl.int_range(first_row, first_row + len(texts), eager=True).alias("line")
        table = pl.DataFrame([rows, *(texts[name].str.strip_chars(BLANKS).alias(key) for key, name in wanted.items())])
        first_row += len(table)
        records = Records(table, rows=len(table))
        with_nul = pl.any_horizontal(pl.col(key).str.contains("\0", literal=True) for key in wanted)
        for line, *values in table.filter(with_nul).iter_rows():
            records.rejected.setdefault(Reason.UNDECODABLE, []).append(Example(line, None, ", ".join(values).replace("\0", "\\x00")))
        records.table = table.filter(~with_nul) if records.rejected else table
        yield records


def _as_text(column: pl.Series) -> pl.Series:
    dtype = column.dtype
    if isinstance(dtype, pl.Array):
        column, dtype = column.arr.to_list(), pl.List(dtype.inner)
    if isinstance(dtype, pl.List) and not dtype.inner.is_nested():
        column = column.list.eval(pl.element().cast(pl.String)).list.join(LIST_SEPARATOR)
    elif isinstance(dtype, pl.Datetime):
        column = (column.dt.convert_time_zone("UTC") if dtype.time_zone else column).dt.strftime("%Y-%m-%dT%H:%M:%S")
    elif dtype.is_nested():
        column = pl.Series(column.name, [f"({dtype})"], dtype=pl.String).new_from_index(0, len(column))
    else:
        column = column.cast(pl.String, strict=False)
    return column.fill_null("")
