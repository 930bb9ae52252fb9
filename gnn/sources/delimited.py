"""Delimited text: CSV, TSV, MovieLens ``.dat`` and their relatives, with or without header, plain or gzip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import polars as pl

from gnn.errors import DataError
from gnn.interactions import Interactions
from gnn.sources.builder import InteractionsBuilder
from gnn.sources.fields import COLUMN_AT_FAULT, parse
from gnn.sources.guess import Column, Guess, guess_roles
from gnn.sources.layout import Layout, guess_delimiter, lay_out, looks_like_header, sample_lines
from gnn.sources.mapping import Delimiter, Encoding, Mapping, Role, TimestampUnit
from gnn.sources.records import Records, quotes, read_plain, read_quoted, sample_records
from gnn.sources.rejects import MAX_EXAMPLES, Example, Reason, Rejects
from gnn.sources.text import TextReader

PREVIEW_ROWS = 10
MAX_COLUMNS = 100


@dataclass(frozen=True)
class Detected:
    """What a look at the head of a file says; a person confirms it."""

    delimiter: Delimiter
    has_header: bool
    encoding: Encoding
    is_gzip: bool
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    """The first rows, one field for each column."""
    guesses: dict[Role, Guess]
    problems: tuple[str, ...]
    """What a person should know before confirming."""

    def mapping(self, columns: dict[Role, int | str] | None = None, *, timestamp_unit: TimestampUnit | None = None) -> Mapping:
        """How to read the file with the guessed columns or the given ones; units are those their values show.

        Raises:
            DataError: no user or item column is given or could be guessed, or one column has two roles.
        """
        columns = {role: guess.column for role, guess in self.guesses.items()} if columns is None else columns
        by_key: dict[int | str, Column] = {key: column for column in self.columns for key in (column.index, column.name)}
        time, weight = by_key.get(columns.get("timestamp", -1)), by_key.get(columns.get("weight", -1))
        return Mapping.from_json(
            {
                "delimiter": self.delimiter,
                "has_header": self.has_header,
                "encoding": self.encoding,
                "columns": columns,
                "timestamp_unit": timestamp_unit or (time and time.timestamp_unit) or "s",
                "decimal": weight.decimal if weight else ".",
            }
        )


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
        DataError: the file cannot be read as a table, whatever the choices.
    """
    reader = TextReader(file, filename)
    encoding = encoding or reader.encoding
    lines = sample_lines(reader.head_text(encoding), filename)
    delimiter = delimiter or guess_delimiter(lines, filename)
    records = sample_records(lines, delimiter)
    has_header = looks_like_header(records) if has_header is None else has_header
    layout = lay_out(records, delimiter, has_header=has_header, filename=filename)
    if layout.n_columns > MAX_COLUMNS:
        raise DataError(
            f"{filename} has {layout.n_columns} columns, more than {MAX_COLUMNS}: it is not a table with one interaction in each row."
        )
    rows = [tuple(record.fields) for record in records[has_header:] if len(record.fields) == layout.n_columns]
    names = [layout.names[at] if at < len(layout.names) else f"column {at + 1}" for at in range(layout.n_columns)]
    columns = tuple(Column.from_values(at, name, [row[at] for row in rows]) for at, name in enumerate(names))
    return Detected(
        delimiter=delimiter,
        has_header=has_header,
        encoding=encoding,
        is_gzip=reader.is_gzip,
        columns=columns,
        rows=tuple(rows[:PREVIEW_ROWS]),
        guesses=guess_roles(list(columns), named=has_header),
        problems=layout.problems,
    )


def read(file: IO[bytes], mapping: Mapping, filename: str) -> tuple[Interactions, Rejects]:
    """Read every row. Fields lose surrounding blanks and tabs and nothing else; rows that cannot be used are counted.

    Raises:
        DataError: the file is damaged, a column is missing, or not one row can be used.
    """
    reader = TextReader(file, filename)
    head = sample_records(sample_lines(reader.head_text(mapping.encoding), filename), mapping.delimiter)
    layout = lay_out(head, mapping.delimiter, has_header=mapping.has_header, filename=filename)
    wanted = layout.positions(mapping)
    builder, rejects = InteractionsBuilder(), Rejects()
    for records in _records(reader, mapping, layout, wanted):
        rejects.rows_read += records.rows
        rejects.blank_lines += records.blank_lines
        for reason, examples in records.rejected.items():
            rejects.add(reason, len(examples), examples)
        table = parse(records.table, mapping)
        kept = table.filter(pl.col("reason").is_null())
        if len(kept):
            rejects.rows_kept += len(kept)
            columns = [kept.get_column(name, default=None) for name in ("user", "item", "weight_value", "timestamp_value")]
            builder.add(*columns)
        if len(kept) < len(table):
            _reject_values(table.filter(pl.col("reason").is_not_null()), rejects, {role: layout.names[at] for role, at in wanted.items()})
    if not rejects.rows_kept:
        raise DataError(
            f"None of the {rejects.rows_read:,} rows can be used: {rejects.summary()}. Check the delimiter, the header and the columns."
        )
    return builder.build(), rejects


def _records(reader: TextReader, mapping: Mapping, layout: Layout, wanted: dict[Role, int]) -> Iterator[Records]:
    """The records of the file block by block, with the rows that cannot be divided into fields."""
    first_line, carried = 1, b""
    blocks = reader.blocks(mapping.encoding)
    block = next(blocks, None)
    while block is not None:
        following = next(blocks, None)
        block = carried + block
        lines, undecodable = _decode(block, first_line)
        if first_line <= layout.header_line:
            lines = lines.filter(pl.col("line") > layout.header_line)
            undecodable = [example for example in undecodable if example.line > layout.header_line]
        if quotes(mapping.delimiter) and b'"' in block:
            records = read_quoted(lines, mapping.delimiter, layout.n_columns, wanted, last=following is None)
        else:
            records = read_plain(lines, mapping.delimiter, layout.n_columns, wanted)
        if undecodable:
            records.rejected[Reason.UNDECODABLE] = undecodable
        yield records
        raw = block.split(b"\n")[-1 - records.unfinished :] if records.unfinished else [b""]
        carried = b"\n".join(raw)
        first_line += block.count(b"\n") - records.unfinished
        block = following


def _decode(block: bytes, first_line: int) -> tuple[pl.DataFrame, list[Example]]:
    """Lines with their numbers; text is null for the undecodable ones, which also come as examples."""
    undecodable: list[Example] = []
    texts: list[str | None] = []
    try:
        texts += block.decode().split("\n")[:-1]
    except UnicodeDecodeError:
        for raw in block.split(b"\n")[:-1]:
            try:
                texts.append(raw.decode())
            except UnicodeDecodeError:
                undecodable.append(Example(first_line + len(texts), None, raw.decode(errors="backslashreplace")))
                texts.append(None)
    if b"\0" in block:
        for at, text in enumerate(texts):
            # NUL decodes, but no text has it, and neither PostgreSQL nor a CSV writer takes it.
            if text is not None and "\0" in text:
                undecodable.append(Example(first_line + at, None, text.replace("\0", "\\x00")))
                texts[at] = None
        undecodable.sort(key=lambda example: example.line)
    numbers = pl.int_range(first_line, first_line + len(texts), eager=True)
    return pl.DataFrame([numbers.alias("line"), pl.Series("text", texts, dtype=pl.String)]), undecodable


def _reject_values(table: pl.DataFrame, rejects: Rejects, names: dict[Role, str]) -> None:
    """Account for rows whose ``reason`` is a field that cannot be read."""
    for (value,), rows in table.group_by("reason"):
        reason = Reason(str(value))
        role = COLUMN_AT_FAULT[reason]
        first = rows.head(MAX_EXAMPLES).select("line", role).iter_rows()
        rejects.add(reason, len(rows), [Example(line, names[role], text) for line, text in first])
