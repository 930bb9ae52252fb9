"""Parquet: columns with names and types, read as text batch by batch."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from typing import IO, cast

import polars as pl
import pyarrow
import pyarrow.compute
import pyarrow.parquet

from gnn.errors import DataError
from gnn.sources.compression import Compression, Limits, PlainBytes
from gnn.sources.detection import Detected
from gnn.sources.fields import BLANKS, FIRST_SECOND, LAST_SECOND, UNITS_PER_SECOND
from gnn.sources.json_lines import LIST_SEPARATOR, MAX_COLUMNS
from gnn.sources.layout import SAMPLE_LINES, position_of
from gnn.sources.mapping import Column
from gnn.sources.records import Records, Table, is_utf8
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
    rows = [tuple(value.replace("\0", "\ufffd") for value in row) for row in table.iter_rows()]
    return Detected.of(filename, names, rows, source="parquet", label="Parquet", confidence=1.0, compression=compression)


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
        if not _is_readable(dtype):
            raise DataError(
                f"Column {name!r} of {filename} holds values of type {dtype}, which cannot be read. Write it as text or numbers."
            )
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
        names = opened.schema_arrow.names
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"The Parquet file {filename} is damaged or incomplete ({error}). Write or upload it again.") from error
    for at, name in enumerate(names):
        if not name or "\0" in name or name in names[:at]:
            raise DataError(f"Column {at + 1} of {filename} needs a name of its own, but is named {name!r}. Rename it.")
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
            # Polars does not survive text that is no UTF-8 and offsets that point nowhere.
            batch.validate(full=True)
            yield pl.DataFrame([_as_text(batch.column(name)).fill_null("").alias(name) for name in names])
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


def _is_readable(dtype: pyarrow.DataType) -> bool:
    types = pyarrow.types
    if types.is_list(dtype) or types.is_large_list(dtype) or types.is_fixed_size_list(dtype):
        return _is_simple(dtype.value_type)
    if types.is_dictionary(dtype):
        dtype = dtype.value_type
    return _is_simple(dtype) or _is_binary(dtype) or any(is_kind(dtype) for is_kind in (types.is_timestamp, types.is_date, types.is_time))


def _is_simple(dtype: pyarrow.DataType) -> bool:
    types = pyarrow.types
    texts = (types.is_string, types.is_large_string, types.is_string_view)
    numbers = (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal128, types.is_null)
    return any(is_kind(dtype) for is_kind in texts + numbers)


def _is_binary(dtype: pyarrow.DataType) -> bool:
    types = pyarrow.types
    kinds = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
    return any(is_kind(dtype) for is_kind in kinds)


def _as_text(column: pyarrow.Array) -> pl.Series:
    """Text for each value, NUL in it where a value is no text; the name of the type where there is no sensible text at all."""
    if not _is_readable(column.type):
        return pl.Series([f"({column.type})"], dtype=pl.String).new_from_index(0, len(column))
    if pyarrow.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    dtype = column.type
    if _is_binary(dtype):
        # Spark and Hive write text so.
        values = [None if (value := cell.as_py()) is None else _decoded(value) for cell in column]
        return pl.Series(values, dtype=pl.String)
    if pyarrow.types.is_date(dtype):
        return _moments(column.cast(pyarrow.timestamp("s" if dtype == pyarrow.date32() else "ms")), "%Y-%m-%d")
    if pyarrow.types.is_timestamp(dtype):
        return _moments(column.cast(pyarrow.timestamp(dtype.unit)), "%Y-%m-%dT%H:%M:%S")  # what it loses is a zone to be shown in
    series = pl.Series(column)
    if isinstance(series.dtype, pl.Array):
        series = series.arr.to_list()
    if isinstance(series.dtype, pl.List):
        return series.list.eval(pl.element().cast(pl.String)).list.join(LIST_SEPARATOR)
    return series.cast(pl.String, strict=False)


def _decoded(value: bytes) -> str:
    return value.decode() if is_utf8(value) else value.decode(errors="backslashreplace") + "\0"


def _moments(column: pyarrow.Array, form: str) -> pl.Series:
    """Times in UTC; one that is in no calendar stays the number that it is."""
    whole = pl.Series(column.cast(pyarrow.int64()))
    fits = (whole // UNITS_PER_SECOND[column.type.unit]).is_between(FIRST_SECOND, LAST_SECOND)
    shown = pl.Series(pyarrow.compute.if_else(fits.to_arrow(), column, None)).dt.strftime(form)
    return shown.zip_with(shown.is_not_null(), whole.cast(pl.String))
