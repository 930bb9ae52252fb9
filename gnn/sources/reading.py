"""From a file and its mapping to interactions, every row accounted for."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Columns
from typing import IO, Any

import polars as pl

from gnn.errors import DataError
from gnn.interactions import Interactions
from gnn.sources import adjacency, delimited, json_lines, parquet
from gnn.sources.builder import InteractionsBuilder
from gnn.sources.compression import Limits, PlainBytes
from gnn.sources.detection import Detected
from gnn.sources.fields import COLUMN_AT_FAULT, parse
from gnn.sources.mapping import Column, Delimiter, Encoding, Mapping, SourceName, TableFormat
from gnn.sources.panics import panics_told
from gnn.sources.records import Records, Table
from gnn.sources.rejects import MAX_EXAMPLES, Example, Reason, RejectedRows, Rejects
from gnn.sources.text import TextReader

DEFAULT_LIMITS = Limits()


def detect(
    file: IO[bytes],
    filename: str,
    *,
    source: SourceName | None = None,
    delimiter: Delimiter | None = None,
    has_header: bool | None = None,
    encoding: Encoding | None = None,
    skip_lines: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Detected:
    """Look at the head of a file; what is given is taken as said, the rest is guessed.

    Raises:
        DataError: the file cannot be read, whatever the choices.
    """
    with panics_told(filename):
        detected = _look(file, filename, source, delimiter, has_header, encoding, skip_lines, limits)
    return detected


def _look(
    file: IO[bytes],
    filename: str,
    source: SourceName | None,
    delimiter: Delimiter | None,
    has_header: bool | None,
    encoding: Encoding | None,
    skip_lines: int | None,
    limits: Limits,
) -> Detected:
    plain = PlainBytes(file, filename, limits)
    reader = TextReader(plain)
    if reader.is_parquet:
        return parquet.detect(_on_disk(file, filename, limits), filename, plain.compression, limits)
    reader.require_text()
    encoding = encoding or reader.guess_encoding()
    given_as_text = delimiter is not None or has_header is not None or skip_lines is not None
    if source == "json_lines" or (source is None and not given_as_text and json_lines.looks_like_json(reader.head_text(encoding))):
        return json_lines.detect(reader, filename, plain.compression, encoding)
    if source == "adjacency" or (source is None and not given_as_text and adjacency.looks_like_lists(reader.head_text(encoding), filename)):
        return adjacency.detect(reader, filename, plain.compression, encoding)
    return delimited.detect(
        reader,
        filename,
        plain.compression,
        delimiter=delimiter,
        has_header=has_header,
        encoding=encoding,
        skip_lines=skip_lines,
    )


def open_table(file: IO[bytes], how: TableFormat, columns: Columns[Any, Column], filename: str, limits: Limits = DEFAULT_LIMITS) -> Table:
    """The rows of a file as text, with the given columns under the given names.

    Raises:
        DataError: the file cannot be read so; the message says what, where and what to do.
    """
    plain = PlainBytes(file, filename, limits)
    reader = TextReader(plain)
    if reader.is_parquet != (how.source == "parquet"):
        raise DataError(f"The file {filename} is {'' if reader.is_parquet else 'not '}Parquet. Look at its format again.")
    if how.source == "parquet":
        return parquet.open_table(_on_disk(file, filename, limits), columns, filename, limits)
    reader.require_text()
    if how.source == "json_lines":
        return json_lines.open_table(reader, how, columns, filename)
    if how.source == "adjacency":
        return adjacency.open_table(reader, how)
    return delimited.open_table(reader, how, columns, filename)


def read(
    file: IO[bytes],
    mapping: Mapping,
    filename: str,
    *,
    rejected: IO[bytes] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    on_rows: Callable[[int], None] | None = None,
) -> tuple[Interactions, Rejects]:
    """Read every row; rows that cannot be used are counted, and written to ``rejected`` as CSV.

    After each block of rows ``on_rows`` is told how many are read; an exception that it raises passes through.

    Raises:
        DataError: the file is damaged, a column is missing, not one row can be used, or a row cannot and the mapping says to stop there.
    """
    with panics_told(filename):
        table = open_table(file, mapping, mapping.columns, filename, limits)
        log = RejectedRows(rejected) if rejected is not None else None
        builder, rejects = InteractionsBuilder(mapping.part), Rejects(log=log)
        for records in table.records:
            take_account(records, rejects)
            rows = parse(records.table, mapping)
            n_bad = len(rows) - rows["reason"].null_count()
            kept = rows.filter(pl.col("reason").is_null()) if n_bad else rows
            rejects.rows_kept += len(kept)
            if len(kept):
                builder.add(_with_constants(kept, mapping))
            if n_bad:
                _reject_values(rows.filter(pl.col("reason").is_not_null()), rejects, table.names)
            stop_if_asked(mapping, rejects)
            if on_rows is not None:
                on_rows(rejects.rows_read)
        finish(rejects)
        interactions = builder.build()
    return interactions, rejects


def take_account(records: Records, rejects: Rejects) -> None:
    """Count the rows of a block and those that could not be divided into fields."""
    rejects.rows_read += records.rows
    rejects.blank_lines += records.blank_lines
    for reason, examples in records.rejected.items():
        rejects.add(reason, len(examples), examples)


def stop_if_asked(how: TableFormat, rejects: Rejects) -> None:
    """Raises DataError if a row was rejected and ``how`` says to stop at the first."""
    if rejects.total and how.on_reject == "stop":
        raise DataError(f"{rejects.first()} Correct the file, or choose to skip such rows.")


def finish(rejects: Rejects) -> None:
    """End the account of a file.

    Raises:
        DataError: not one row can be used.
    """
    if rejects.log is not None:
        rejects.log.finish()
        rejects.log = None
    if not rejects.rows_kept:
        why = f": {rejects.summary()}" if rejects.total else ""
        raise DataError(f"None of the {rejects.rows_read:,} rows can be used{why}. Check the delimiter, the header and the columns.")


def _with_constants(rows: pl.DataFrame, mapping: Mapping) -> pl.DataFrame:
    """Add what the mapping says of all rows."""
    if mapping.behaviour is not None:
        rows = rows.with_columns(pl.lit(mapping.behaviour).alias("behaviour"))
    if mapping.domain is not None:
        rows = rows.with_columns(pl.lit(mapping.domain).alias("domain"), pl.concat_str(pl.lit(f"{mapping.domain}/"), "item").alias("item"))
    return rows


def _reject_values(rows: pl.DataFrame, rejects: Rejects, names: dict[str, str]) -> None:
    """Account for rows whose ``reason`` is a field that cannot be read."""
    for (value,), of_reason in rows.group_by("reason", maintain_order=True):
        reason = Reason(str(value))
        role = COLUMN_AT_FAULT[reason]
        text = f"{role}_text" if f"{role}_text" in rows.columns else role
        shown = of_reason if rejects.keeps_all else of_reason.head(MAX_EXAMPLES)
        rejects.add(reason, len(of_reason), [Example(line, names[role], field) for line, field in shown.select("line", text).iter_rows()])


def _on_disk(file: IO[bytes], filename: str, limits: Limits) -> IO[bytes]:
    return parquet.on_disk(file, PlainBytes(file, filename, limits))
