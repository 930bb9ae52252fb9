"""Lines to records: plain lines are divided all at once, lines with quotation marks one by one."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from gnn.sources.fields import BLANKS
from gnn.sources.mapping import Delimiter
from gnn.sources.rejects import Example, Reason
from gnn.sources.text import CUT

_STAND_IN = b"\x1f"
"""Stands for a delimiter of two signs; ASCII's own unit separator."""
MAX_RECORD_LINES = 100
"""Lines that one quoted field may run over; a mark still open after that was not meant as one."""


@dataclass(frozen=True)
class Table:
    """A file as rows of text."""

    names: dict[str, str]
    """What the file calls each column, by the name that the column has in the records."""
    records: Iterator[Records]


@dataclass
class Records:
    """What one block of lines holds."""

    table: pl.DataFrame
    """Columns ``line`` (Int64, from 1) and one text column for each wanted column, in file order."""
    rows: int = 0
    blank_lines: int = 0
    rejected: dict[Reason, list[Example]] = field(default_factory=dict)
    """Every rejected row of the block."""
    unfinished: int = 0
    """How many lines at the end belong to a record that continues in the next block."""

    def reject(self, reason: Reason, line: int, text: str) -> None:
        self.rejected.setdefault(reason, []).append(Example(line, None, text))


def decode_lines(block: bytes, first_line: int) -> tuple[pl.DataFrame, dict[Reason, list[Example]]]:
    """Columns ``line`` and ``text`` of a block that ends with a line break; text is null for lines that are no text, which are rejected."""
    bad: dict[Reason, list[Example]] = {}
    texts: list[str | None] = []
    whole = is_utf8(block) and b"\0" not in block
    if whole:
        texts += block.decode().split("\n")[:-1]
    else:
        for raw in block.split(b"\n")[:-1]:
            # NUL decodes, but no text has it, and neither PostgreSQL nor a CSV writer takes it.
            if b"\0" not in raw and is_utf8(raw):
                texts.append(raw.decode())
                continue
            reason = Reason.TOO_LONG if raw.endswith(CUT) else Reason.UNDECODABLE
            text = raw.removesuffix(CUT).decode(errors="backslashreplace").replace("\0", "\\x00")
            bad.setdefault(reason, []).append(Example(first_line + len(texts), None, text))
            texts.append(None)
    numbers = pl.int_range(first_line, first_line + len(texts), eager=True)
    return pl.DataFrame([numbers.alias("line"), pl.Series("text", texts, dtype=pl.String)]), bad


def quotes(delimiter: Delimiter) -> bool:
    """Whether a field may be quoted: nobody writes quotes in ``::`` files, where a mark is part of the text."""
    return len(delimiter) == 1


def split_line(line: str, delimiter: Delimiter) -> list[str]:
    """The fields of one line without surrounding blanks; a quoted field may hold the delimiter but no line break."""
    if '"' in line and quotes(delimiter):
        fields = _parse_quoted([line], delimiter) or line.split(delimiter)
    else:
        fields = [value for value in line.split(" ") if value] if delimiter == " " else line.split(delimiter)
    return [value.strip(BLANKS) for value in fields]


@dataclass(frozen=True)
class Sample:
    """A record of the head of a file."""

    line: int
    """Its first line, from 1."""
    last_line: int
    text: str
    """The first line as written."""
    fields: list[str]


def sample_records(lines: list[tuple[int, str]], delimiter: Delimiter) -> list[Sample]:
    """Divide numbered lines, of which none is blank, without knowing how many fields are right."""
    texts: list[str | None] = [text for _, text in lines]
    records, at = [], 0
    while at < len(lines):
        number, text = lines[at]
        span, fields = 1, None
        if '"' in text and quotes(delimiter) and _parse_quoted([text], delimiter) is None:
            span = _closing_line(texts, at, delimiter, None) or 1
            fields = _parse_quoted([f"{line}\n" for _, line in lines[at : at + span]], delimiter) if span > 1 else text.split(delimiter)
        at += span
        clean = split_line(text, delimiter) if fields is None else [value.strip(BLANKS) for value in fields]
        records.append(Sample(number, lines[at - 1][0], text, clean))
    return records


def read_steady(block: bytes, first_line: int, delimiter: Delimiter, n_columns: int, wanted: Mapping[str, int]) -> Records | None:
    """Divide a block in which every line has the right number of fields and nothing is out of the ordinary, else None.

    Gives what ``read_plain`` gives, ten times faster.
    """
    if len(delimiter) > 1:
        if _STAND_IN in block:
            return None
        block, delimiter = block.replace(delimiter.encode(), _STAND_IN), _STAND_IN.decode()
    n_lines = block.count(b"\n")
    separator = delimiter.encode()
    if delimiter == " " or n_columns < 2 or len(separator) > 1 or not _is_even(block, separator, n_lines, n_columns - 1):
        return None
    if b"\0" in block or block.startswith(b"\xef\xbb\xbf") or not (block.isascii() or is_utf8(block)):
        return None
    try:
        table = pl.read_csv(
            block,
            has_header=False,
            separator=delimiter,
            quote_char=None,
            schema={str(at): pl.String for at in range(n_columns)},
            columns=sorted(wanted.values()),
            empty_string_is_null=False,
            extra_columns="raise",
            missing_columns="raise",
        )
    except pl.exceptions.PolarsError:
        return None
    if len(table) != n_lines:
        return None
    blanks = "".join(blank for blank in BLANKS if blank != delimiter)
    columns = [table[str(at)].alias(name) for name, at in wanted.items()]
    if any(blank.encode() in block for blank in blanks):
        columns = [column.str.strip_chars(BLANKS) for column in columns]
    lines = pl.int_range(first_line, first_line + n_lines, eager=True).alias("line")
    return Records(pl.DataFrame([lines, *columns]).rechunk(), rows=n_lines)


def _is_even(block: bytes, separator: bytes, n_lines: int, wanted: int) -> bool:
    """Whether each of the lines has ``wanted`` separators: a line with too many may make up for one with too few."""
    if block.count(separator) != wanted * n_lines:
        return False
    signs = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(signs == ord("\n"))
    places = np.flatnonzero(signs == ord(separator)).reshape(n_lines, wanted)
    return bool((places[:, -1] < ends).all() and (places[1:, 0] > ends[:-1]).all())


def is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def read_plain(lines: pl.DataFrame, delimiter: Delimiter, n_columns: int, wanted: Mapping[str, int]) -> Records:
    """Divide lines of which none has a quotation mark with meaning.

    Args:
        lines: columns ``line`` and ``text``; text is null where it could not be decoded.
        wanted: position of each column by the name that it gets in the table.
    """
    if delimiter == " ":
        lines = lines.with_columns(pl.col("text").str.strip_chars(" ").str.replace_all(" +", " "))
    blank = (pl.col("text").str.strip_chars(" ") == "").fill_null(False)
    n_lines = len(lines)
    lines = lines.filter(~blank)
    right = (pl.col("text").str.count_matches(delimiter, literal=True) == n_columns - 1).fill_null(False)
    good = lines.filter(right)
    fields = good["text"].str.split_exact(delimiter, n_columns - 1).struct
    table = pl.DataFrame([good["line"], *(fields.field(f"field_{at}").str.strip_chars(BLANKS).alias(role) for role, at in wanted.items())])
    records = Records(table, rows=len(lines), blank_lines=n_lines - len(lines))
    for line, text in lines.filter(~right & pl.col("text").is_not_null()).iter_rows():
        records.reject(Reason.FIELD_COUNT, line, text)
    return records


def read_quoted(lines: pl.DataFrame, delimiter: Delimiter, n_columns: int, wanted: Mapping[str, int], *, last: bool) -> Records:
    """Divide lines among which some are quoted; a quoted field may run over several lines.

    ``last`` says that no block follows. Arguments as for ``read_plain``.
    """
    numbers, texts = lines["line"].to_list(), lines["text"].to_list()
    columns: dict[str, list[str]] = {role: [] for role in wanted}
    starts: list[int] = []
    records = Records(pl.DataFrame())
    at = 0
    while at < len(texts):
        text, start = texts[at], at
        at += 1
        if text is not None and not text.strip(" "):
            records.blank_lines += 1
            continue
        fields = None
        if text is not None:
            if '"' not in text:
                fields = split_line(text, delimiter)
            else:
                fields = _parse_quoted([text], delimiter)
                if fields is None:
                    span = _closing_line(texts, start, delimiter, n_columns)
                    if span is not None:
                        at = start + span
                        fields = _parse_quoted([line + "\n" for line in texts[start:at]], delimiter)
                    elif not last and len(texts) - start < MAX_RECORD_LINES and None not in texts[start:]:
                        records.unfinished = len(texts) - start
                        break
                    elif len(plain := text.split(delimiter)) == n_columns:
                        fields = plain
        records.rows += 1
        if fields is not None and len(fields) == n_columns:
            starts.append(numbers[start])
            for role, position in wanted.items():
                columns[role].append(fields[position].strip(BLANKS))
        elif text is not None:
            records.reject(Reason.OPEN_QUOTE if fields is None else Reason.FIELD_COUNT, numbers[start], text)
    texts_of_roles = [pl.Series(role, values, dtype=pl.String) for role, values in columns.items()]
    records.table = pl.DataFrame([pl.Series("line", starts, dtype=pl.Int64), *texts_of_roles])
    return records


def _closing_line(texts: list[str | None], start: int, delimiter: Delimiter, n_columns: int | None) -> int | None:
    """How many lines the record at ``start`` runs over, if it closes with the right number of fields (None: any number)."""
    for end in range(start + 1, min(start + MAX_RECORD_LINES, len(texts))):
        text = texts[end]
        if text is None:
            return None
        if '"' in text:
            fields = _parse_quoted([f"{line}\n" for line in texts[start : end + 1]], delimiter)
            if fields is not None:
                return end + 1 - start if n_columns in (None, len(fields)) else None
    return None


def _parse_quoted(lines: list[str], delimiter: Delimiter) -> list[str] | None:
    """The fields of one record, or None if a quotation mark stays open or a field is too long for the csv module."""
    if delimiter == " ":
        lines = [line.strip(" ") for line in lines]
    # Once more where a single line breaks the rules, as in "5" disk": a mark inside is part of the text.
    for strict in (True, False) if len(lines) == 1 else (True,):
        try:
            return next(csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=strict))
        except csv.Error as error:
            if "end of data" in str(error):
                return None
    return None
