"""JSON lines: one object a line; a member of an inner object is the column ``outer.inner``, a list is its elements joined by ``|``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from gnn.errors import DataError
from gnn.sources.compression import Compression
from gnn.sources.detection import Detected
from gnn.sources.fields import BLANKS
from gnn.sources.layout import position_of, sample_lines
from gnn.sources.mapping import Column, Encoding, TableFormat
from gnn.sources.records import Records, Table, decode_lines
from gnn.sources.rejects import Reason
from gnn.sources.text import TextReader

LIST_SEPARATOR = "|"
MAX_COLUMNS = 1000
_SURROGATES = re.compile("[\ud800-\udfff]")
"""Halves of signs, which JSON can write, but no text has; they become NUL, which no text has either."""


def looks_like_json(text: str) -> bool:
    return text.lstrip().startswith(("{", "[{", "[\n"))


def detect(reader: TextReader, filename: str, compression: Compression, encoding: Encoding) -> Detected:
    """Look at the head of a file for the members that its objects have.

    Raises:
        DataError: not one line of the head is a JSON object.
    """
    lines = sample_lines(reader.head_text(encoding), filename)
    objects = [members for _, line in lines if (members := _members(line)) is not None]
    if not objects:
        hint = (
            "It is one JSON array: write one object a line instead" if lines[0][1].lstrip().startswith("[") else "Write one object a line"
        )
        raise DataError(f"{filename} starts like JSON, but line {lines[0][0]} is not a JSON object ({lines[0][1][:80]!r}). {hint}.")
    names = list(dict.fromkeys(name for members in objects for name in members))
    if len(names) > MAX_COLUMNS:
        raise DataError(f"The objects of {filename} have {len(names):,} different members, more than {MAX_COLUMNS:,}.")
    return Detected.of(
        filename,
        names,
        [tuple(members.get(name, "").replace("\0", "\ufffd") for name in names) for members in objects],
        source="json_lines",
        label="JSON lines",
        confidence=len(objects) / len(lines),
        compression=compression,
        encoding=encoding,
    )


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
    return Table(wanted, _records(reader, how.encoding, wanted))


def _records(reader: TextReader, encoding: Encoding, wanted: dict[str, str]) -> Iterator[Records]:
    first_line = 1
    for block in reader.blocks(encoding):
        lines, rejected = decode_lines(block, first_line)
        first_line += len(lines)
        columns: dict[str, list[str]] = {key: [] for key in wanted}
        numbers: list[int] = []
        records = Records(pl.DataFrame(), rejected=rejected)
        for number, text in lines.iter_rows():
            if text is not None and not text.strip():
                records.blank_lines += 1
                continue
            records.rows += 1
            if text is None:
                continue
            members = _members(text)
            if members is None:
                records.reject(Reason.NOT_JSON, number, text)
            elif any("\0" in members.get(name, "") for name in wanted.values()):
                records.reject(Reason.UNDECODABLE, number, text)
            else:
                numbers.append(number)
                for key, name in wanted.items():
                    columns[key].append(members.get(name, "").strip(BLANKS))
        texts = [pl.Series(key, values, dtype=pl.String) for key, values in columns.items()]
        records.table = pl.DataFrame([pl.Series("line", numbers, dtype=pl.Int64), *texts])
        yield records


def _members(line: str) -> dict[str, str] | None:
    """The members of an object as text, or None if the line is no object."""
    try:
        # Numbers stay as they are written: an id may be longer than any number type.
        document = json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
        return dict(_flat("", document)) if isinstance(document, dict) else None
    except (ValueError, RecursionError):
        return None


def _flat(prefix: str, members: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in members.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield _SURROGATES.sub("\0", prefix + name), _SURROGATES.sub("\0", _as_text(value))


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        return LIST_SEPARATOR.join(_as_text(element) if not isinstance(element, dict) else json.dumps(element) for element in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
