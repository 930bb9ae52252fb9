"""JSON: one object a line, or one array of objects.

A member of an inner object is the column ``outer.inner``, a list is its elements joined by ``|``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import polars as pl

from gnn.errors import DataError
from gnn.sources.compression import Compression
from gnn.sources.detection import Detected
from gnn.sources.fields import BLANKS
from gnn.sources.json_array import elements
from gnn.sources.layout import SAMPLE_LINES, position_of, sample_lines
from gnn.sources.mapping import Column, Encoding, TableFormat
from gnn.sources.records import Records, Table, decode_lines
from gnn.sources.rejects import MAX_TEXT, Reason
from gnn.sources.text import MAX_LINE_BYTES, TextReader

LIST_SEPARATOR = "|"
MAX_COLUMNS = 1000
_SURROGATES = re.compile("[\ud800-\udfff]")
"""Halves of signs, which JSON can write, but no text has; they become NUL, which no text has either."""


_ARRAY, _OBJECT = re.compile(r"\s*\["), re.compile(r"\s*(\[\s*)?\{")
_BATCH_ROWS = 1 << 16


def looks_like_json(text: str) -> bool:
    return _OBJECT.match(text) is not None


def detect(reader: TextReader, filename: str, compression: Compression, encoding: Encoding) -> Detected:
    """Look at the head of a file for the members that its objects have.

    Raises:
        DataError: the head has no JSON object.
    """
    head = reader.head_text(encoding)
    is_array = _ARRAY.match(head) is not None
    found = _head_of_array(head, filename, is_all=reader.head_is_all) if is_array else _head_of_lines(head, filename)
    objects = [members for members in found if members is not None]
    names = list(dict.fromkeys(name for members in objects for name in members))
    if len(names) > MAX_COLUMNS:
        raise DataError(f"The objects of {filename} have {len(names):,} different members, more than {MAX_COLUMNS:,}.")
    return Detected.of(
        filename,
        names,
        [tuple(members.get(name, "").replace("\0", "\ufffd") for name in names) for members in objects],
        source="json_lines",
        label="JSON array" if is_array else "JSON lines",
        confidence=len(objects) / len(found),
        compression=compression,
        encoding=encoding,
    )


def _head_of_lines(head: str, filename: str) -> list[dict[str, str] | None]:
    lines = sample_lines(head, filename)
    found = [_members(line) for _, line in lines]
    if not any(found):
        number, line = lines[0]
        raise DataError(
            f"{filename} starts like JSON, but line {number} is not a JSON object ({line[:80]!r}). "
            "Write one object a line, or one array of objects."
        )
    return found


def _head_of_array(head: str, filename: str, *, is_all: bool) -> list[dict[str, str] | None]:
    found: list[dict[str, str] | None] = []
    try:
        for _, _, value in islice(elements(iter([head]), filename), SAMPLE_LINES):
            found.append(_flattened(value))
    except DataError:
        if is_all or not found:
            raise  # otherwise the head ends inside an object
    if not any(found):
        raise DataError(f"The JSON array in {filename} holds no object with members. Write an array of objects, one for each row.")
    return found


def open_table(reader: TextReader, how: TableFormat, columns: Mapping[str, Column], filename: str) -> Table:
    """The given members of each object as text; a member that is missing or null is empty.

    Raises:
        DataError: a member is in no object of the head.
    """
    names = [column.name for column in detect(reader, filename, "", how.encoding).columns]
    wanted: dict[str, str] = {}
    for key, column in columns.items():
        if isinstance(column, int) and column >= len(names):
            raise DataError(f"There is no column {column + 1} for the {key}: the objects have {len(names)} member(s).")
        wanted[key] = names[column if isinstance(column, int) else position_of(names, column, key)]
    is_array = _ARRAY.match(reader.head_text(how.encoding)) is not None
    return Table(wanted, _of_array(reader, how.encoding, wanted, filename) if is_array else _of_lines(reader, how.encoding, wanted))


class _Batch:
    """Collects objects as columns of text."""

    def __init__(self, wanted: dict[str, str]) -> None:
        self._wanted = wanted
        self._columns: dict[str, list[str]] = {key: [] for key in wanted}
        self._lines: list[int] = []
        self.records = Records(pl.DataFrame())

    def add(self, line: int, text: str, members: dict[str, str] | None) -> None:
        """Take what ``text`` holds; None says that it is no object."""
        if len(text) > MAX_LINE_BYTES:
            self.records.reject(Reason.TOO_LONG, line, text[:MAX_TEXT])
        elif members is None:
            self.records.reject(Reason.NOT_JSON, line, text)
        elif any("\0" in members.get(name, "") for name in self._wanted.values()):
            self.records.reject(Reason.UNDECODABLE, line, text.replace("\0", "\\x00"))
        else:
            self._lines.append(line)
            for key, name in self._wanted.items():
                self._columns[key].append(members.get(name, "").strip(BLANKS))

    def finished(self) -> Records:
        texts = [pl.Series(key, values, dtype=pl.String) for key, values in self._columns.items()]
        self.records.table = pl.DataFrame([pl.Series("line", self._lines, dtype=pl.Int64), *texts])
        return self.records


def _of_lines(reader: TextReader, encoding: Encoding, wanted: dict[str, str]) -> Iterator[Records]:
    first_line = 1
    for block in reader.blocks(encoding):
        lines, rejected = decode_lines(block, first_line)
        first_line += len(lines)
        batch = _Batch(wanted)
        batch.records.rejected = rejected
        for number, text in lines.iter_rows():
            if text is not None and not text.strip():
                batch.records.blank_lines += 1
                continue
            batch.records.rows += 1
            if text is not None:
                batch.add(number, text, _members(text))
        yield batch.finished()


def _of_array(reader: TextReader, encoding: Encoding, wanted: dict[str, str], filename: str) -> Iterator[Records]:
    found = elements(reader.texts(encoding), filename)
    while rows := list(islice(found, _BATCH_ROWS)):
        batch = _Batch(wanted)
        batch.records.rows = len(rows)
        for line, text, value in rows:
            batch.add(line, text, _flattened(value))
        yield batch.finished()


def _members(line: str) -> dict[str, str] | None:
    """The members of an object as text, or None if the line is no object."""
    try:
        # Numbers stay as they are written: an id may be longer than any number type.
        return _flattened(json.loads(line, parse_int=str, parse_float=str, parse_constant=str))
    except (ValueError, RecursionError):
        return None


def _flattened(value: Any) -> dict[str, str] | None:
    """The members as text, or None where there are none or they lie too deep to be meant as columns."""
    try:
        return dict(_flat("", value)) if isinstance(value, dict) else None
    except RecursionError:
        return None


def _flat(prefix: str, members: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in members.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}{name}.", value)
        else:
            # A mapping keeps the name, which a database takes without NUL only.
            yield _SURROGATES.sub("\ufffd", prefix + name).replace("\0", "\ufffd"), _SURROGATES.sub("\0", _as_text(value))


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        return LIST_SEPARATOR.join(_as_text(element) if not isinstance(element, dict) else json.dumps(element) for element in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
