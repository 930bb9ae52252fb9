"""What stands above the table in a text file: the delimiter said for Excel, comments, titles. None of it is a row."""

from __future__ import annotations

import re
from dataclasses import replace

from gnn.sources.layout import division, guess_delimiter, looks_like_header
from gnn.sources.mapping import Delimiter, is_delimiter
from gnn.sources.names import EXACT_NAMES, plain_name
from gnn.sources.records import Sample, sample_records, split_line

Lines = list[tuple[int, str]]
"""Lines of a file that are not blank, with their numbers from 1."""

_SAID = re.compile(r'^"?sep=(.)"?$')
_COMMENT = re.compile(r"^[#%]+[ \t]*")
_SIZED = re.compile(r"^%%MatrixMarket +matrix +coordinate", re.IGNORECASE)
"""Above such a table there is one more line: its numbers of rows, columns and entries."""


def said_delimiter(lines: Lines) -> Delimiter | None:
    """The sign that a first line such as ``sep=;`` names."""
    said = _SAID.match(lines[0][1].strip(" "))
    return said[1] if said is not None and is_delimiter(said[1]) else None


def lines_above(lines: Lines, delimiter: Delimiter | None, filename: str) -> int:
    """How many lines at the start of the file, blank ones among them, are above the header or the first row.

    Raises:
        DataError: no delimiter is given, and none divides the lines.
    """
    said = said_delimiter(lines)
    marked = lines[said is not None :]
    first = next((at for at, (_, line) in enumerate(marked) if not _COMMENT.match(line)), None)
    if first is None:  # every line begins so: these are ids
        return _above(lines, marked)
    table = marked[first:]
    delimiter = delimiter or said or guess_delimiter(table, filename)
    records = sample_records(table, delimiter)
    n_columns, _ = division(records)
    if titles := _titles(records, n_columns):
        return _above(lines, table[titles:])
    if first and _SIZED.match(marked[0][1]) and len(table) > 1:
        return _above(lines, table[1:])
    while first and _is_row(marked[first - 1], delimiter, n_columns):
        first -= 1
    if (
        first
        and not looks_like_header(records)
        and headed(candidate := sample_records(marked[first - 1 :], delimiter), delimiter) is not candidate
    ):
        first -= 1
    return _above(lines, marked[first:])


def headed(records: list[Sample], delimiter: Delimiter) -> list[Sample]:
    """The records of a table, the first of which may be a comment that names the columns, as in ``# user item rating``.

    Its sign is no part of the first name.
    """
    first = records[0]
    if len(records) < 2 or (mark := _COMMENT.match(first.text)) is None:
        return records
    fields = split_line(first.text[mark.end() :], delimiter)
    if len(fields) != division(records[1:])[0] or not fields[0]:
        return records
    named = [replace(first, fields=fields), *records[1:]]
    return named if looks_like_header(named) else records


def _above(lines: Lines, table: Lines) -> int:
    """Blank lines alone are nothing above a table."""
    return table[0][0] - 1 if table and table[0] != lines[0] else 0


def _is_row(line: tuple[int, str], delimiter: Delimiter, n_columns: int) -> bool:
    """Whether a line that starts like a comment is rather a row whose first id does."""
    text = line[1]
    return n_columns > 1 and not text[1:2].isspace() and len(split_line(text, delimiter)) == n_columns


def _titles(records: list[Sample], n_columns: int) -> int:
    """How many of the first records are titles: they have no delimiter, or a header comes after them."""
    fits = (at for at, record in enumerate(records) if len(record.fields) == n_columns and not _is_padded(record, n_columns))
    start = next(fits, 0)
    above = records[:start]
    if any(len(record.fields) > 1 and _has_known_name(record) for record in above):
        return 0  # a header with too few or too many names, which is told
    if looks_like_header(records[start:]):
        return start
    return next((at for at, record in enumerate(above) if len(record.fields) > 1), start)


def _is_padded(record: Sample, n_columns: int) -> bool:
    """Whether it is a title, or blank, in a sheet that was saved with all its columns."""
    return n_columns > 2 and not any(record.fields[1:])


def _has_known_name(record: Sample) -> bool:
    return any(plain_name(field) in names for field in record.fields for names in EXACT_NAMES.values())
