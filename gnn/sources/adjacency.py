"""Lists of items, one user a line: ``user item item ...``, as LightGCN and its relatives publish their splits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

import polars as pl

from gnn.sources.compression import Compression
from gnn.sources.detection import Detected
from gnn.sources.layout import sample_lines
from gnn.sources.mapping import Encoding, TableFormat
from gnn.sources.records import Records, Table, decode_lines
from gnn.sources.text import MAX_LIST_BYTES, TextReader

_MIN_LINES = 2
_SHOWN_ITEMS, _SAMPLE_PAIRS = 1000, 100_000
"""Items of one user, and pairs of all of them, that detection looks at."""
NAMES = {"user": "user", "item": "item"}


def looks_like_lists(text: str, filename: str) -> bool:
    """Whether the lines are whole numbers divided by blanks, of uneven count, each starting with a number of its own."""
    users, counts = set(), []
    for _, line in sample_lines(text, filename):
        if fields := line.split():  # of one line at a time: it may have a million
            if not all(map(str.isdecimal, fields)):
                return False
            users.add(fields[0])
            counts.append(len(fields))
    return len(counts) >= _MIN_LINES and len(set(counts)) > 1 and len(users) == len(counts)


def detect(reader: TextReader, filename: str, compression: Compression, encoding: Encoding) -> Detected:
    """Show the head of a file as pairs of user and item.

    Raises:
        DataError: the file has no line.
    """
    lines = [line.split(maxsplit=_SHOWN_ITEMS + 1)[: _SHOWN_ITEMS + 1] for _, line in sample_lines(reader.head_text(encoding), filename)]
    lines = [fields for fields in lines if fields]
    pairs: list[tuple[str, ...]] = list(
        islice(chain.from_iterable(((fields[0], item) for item in fields[1:]) for fields in lines), _SAMPLE_PAIRS)
    )
    return Detected.of(
        filename,
        list(NAMES.values()),
        pairs,
        source="adjacency",
        label="lists of items, one user a line",
        confidence=sum(len(fields) > 1 for fields in lines) / len(lines),
        compression=compression,
        delimiter=" ",
        has_header=False,
        encoding=encoding,
    )


def open_table(reader: TextReader, how: TableFormat) -> Table:
    """One row for each item of each line; a user without items gives none."""
    return Table(dict(NAMES), _records(reader, how.encoding))


def _records(reader: TextReader, encoding: Encoding) -> Iterator[Records]:
    first_line = 1
    for block in reader.blocks(encoding, max_line_bytes=MAX_LIST_BYTES):
        lines, rejected = decode_lines(block, first_line)
        first_line += len(lines)
        undecodable = lines["text"].null_count()
        lines = lines.drop_nulls().with_columns(pl.col("text").str.replace_all(r"[ \t]+", " ").str.strip_chars(" "))
        filled = lines.filter(pl.col("text") != "")
        fields = filled.select("line", pl.col("text").str.splitn(" ", 2).struct.rename_fields(["user", "items"])).unnest("text")
        table = fields.drop_nulls("items").with_columns(pl.col("items").str.split(" ")).explode("items").rename({"items": "item"})
        yield Records(table, rows=len(table) + undecodable, blank_lines=len(lines) - len(filled), rejected=rejected)
