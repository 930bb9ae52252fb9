"""Delimited text: CSV, TSV, MovieLens ``.dat``, RecBole's atomic files and their relatives, with or without header."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from gnn.errors import DataError
from gnn.sources.compression import Compression
from gnn.sources.detection import Detected
from gnn.sources.kinds import RECBOLE_ENDINGS
from gnn.sources.layout import guess_delimiter, lay_out, looks_like_header, name_of, sample_lines
from gnn.sources.mapping import Column, Delimiter, Encoding, TableFormat
from gnn.sources.names import suffixes
from gnn.sources.preamble import headed, lines_above, said_delimiter
from gnn.sources.records import Records, Table, decode_lines, quotes, read_plain, read_quoted, read_steady, sample_records
from gnn.sources.text import TextReader

MAX_COLUMNS = 1000


def detect(
    reader: TextReader,
    filename: str,
    compression: Compression,
    *,
    delimiter: Delimiter | None,
    has_header: bool | None,
    encoding: Encoding,
    skip_lines: int | None,
) -> Detected:
    """Look at the head of a file; what is given is taken as said, the rest is guessed.

    Raises:
        DataError: the file cannot be read as a table, whatever the choices.
    """
    text = reader.head_text(encoding)
    top = sample_lines(text, filename)
    delimiter = delimiter or said_delimiter(top)
    if skip_lines is None:
        skip_lines = lines_above(top, delimiter, filename)
    lines = sample_lines(text, filename, skip_lines)
    delimiter = delimiter or guess_delimiter(lines, filename)
    records = headed(sample_records(lines, delimiter), delimiter)
    has_header = looks_like_header(records) if has_header is None else has_header
    layout = lay_out(records, delimiter, has_header=has_header, skip_lines=skip_lines, filename=filename)
    if layout.n_columns > MAX_COLUMNS:
        raise DataError(
            f"{filename} has {layout.n_columns:,} columns, more than {MAX_COLUMNS:,}: it is not a table with one interaction in each row."
        )
    rows = [tuple(record.fields) for record in records[has_header:] if len(record.fields) == layout.n_columns]
    names = [layout.names[at] if at < len(layout.names) else f"column {at + 1}" for at in range(layout.n_columns)]
    return Detected.of(
        filename,
        names,
        rows,
        source="delimited",
        label=_label(filename, names, delimiter),
        confidence=len(rows) / (len(records) - has_header),
        compression=compression,
        named=has_header,
        delimiter=delimiter,
        has_header=has_header,
        encoding=encoding,
        skipped=tuple(line for number, line in top if number <= skip_lines),
        skip_lines=skip_lines,
        problems=layout.problems,
    )


def open_table(reader: TextReader, how: TableFormat, columns: Mapping[str, Column], filename: str) -> Table:
    """The rows of the file with the given columns; fields lose surrounding blanks and tabs and nothing else.

    Raises:
        DataError: a column is missing; the file is damaged (while its rows are taken).
    """
    head = sample_records(sample_lines(reader.head_text(how.encoding), filename, how.skip_lines), how.delimiter)
    layout = lay_out(headed(head, how.delimiter), how.delimiter, has_header=how.has_header, skip_lines=how.skip_lines, filename=filename)
    wanted = layout.positions(columns, how.delimiter)
    names = {key: layout.names[at] for key, at in wanted.items()}
    return Table(names, _records(reader, how, layout.n_columns, layout.lines_above, wanted))


def _label(filename: str, names: list[str], delimiter: Delimiter) -> str:
    if all(":" in name for name in names) and any(ending in RECBOLE_ENDINGS for ending in suffixes(filename)):
        return "RecBole atomic file"
    if delimiter == "::":
        return "MovieLens .dat"
    return f"text divided by {name_of(delimiter)}"


def _records(reader: TextReader, how: TableFormat, n_columns: int, lines_above: int, wanted: dict[str, int]) -> Iterator[Records]:
    """The records of the file block by block, with the rows that cannot be divided into fields."""
    next_line, carried = 1, b""
    blocks = reader.blocks(how.encoding)
    block = next(blocks, None)
    while block is not None:
        following = next(blocks, None)
        block = carried + block
        if next_line <= lines_above:
            *above, block = block.split(b"\n", lines_above - next_line + 1)
            next_line += len(above)
        is_quoted = quotes(how.delimiter) and b'"' in block
        records = None if is_quoted else read_steady(block, next_line, how.delimiter, n_columns, wanted)
        if records is None:
            records = _read_unsteady(block, next_line, how.delimiter, n_columns, wanted, is_quoted=is_quoted, last=following is None)
        yield records
        raw = block.split(b"\n")[-1 - records.unfinished :] if records.unfinished else [b""]
        carried = b"\n".join(raw)
        next_line += block.count(b"\n") - records.unfinished
        block = following


def _read_unsteady(
    block: bytes, first_line: int, delimiter: Delimiter, n_columns: int, wanted: dict[str, int], *, is_quoted: bool, last: bool
) -> Records:
    lines, rejected = decode_lines(block, first_line)
    divide = partial(read_quoted, last=last) if is_quoted else read_plain
    records = divide(lines, delimiter, n_columns, wanted)
    records.rejected |= rejected
    return records
