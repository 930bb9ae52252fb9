"""The shape of a delimited file, from its first lines: delimiter, header, number of columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import dropwhile

from gnn.errors import DataError
from gnn.sources.mapping import DELIMITERS, Column, Delimiter, is_delimiter
from gnn.sources.names import EXACT_NAMES, plain_name
from gnn.sources.records import Sample, sample_records

SAMPLE_LINES = 1000
_SHOWN_NAMES = 20
_DIGITS_AND_SIGNS = re.compile("^[+-]?\\d[\\d., '’\u00a0\u2009\u202f]*$")
_STEADY = 0.9
"""A delimiter fits if this share of the records has the same number of fields."""


@dataclass(frozen=True)
class Layout:
    names: tuple[str, ...]
    """Of the columns: from the header, or ``column 1`` and so on."""
    n_columns: int
    """Fields of a right row: as many as most rows have."""
    lines_above: int
    """Lines of the file above the first row: the header, and what stands above it."""
    problems: tuple[str, ...]
    """What a person should know before confirming."""

    def positions(self, columns: Mapping[str, Column], delimiter: Delimiter) -> dict[str, int]:
        """The position of each column.

        Raises:
            DataError: a column is missing or its name is not unique.
        """
        if len(self.names) != self.n_columns:
            raise DataError(self.problems[0])
        found: dict[str, int] = {}
        for role, column in columns.items():
            if isinstance(column, str):
                column = position_of(self.names, column, role)
            elif column >= self.n_columns:
                divided = f"divided by {name_of(delimiter)}, the rows have {self.n_columns} column(s)"
                raise DataError(f"There is no column {column + 1} for the {role}: {divided}. Check the delimiter.")
            if column in found.values():
                raise DataError(f"Column {self.names[column]!r} cannot be both the {role} and another role.")
            found[role] = column
        return found


def position_of(names: Sequence[str], name: str, role: str) -> int:
    """The position of a named column.

    Raises:
        DataError: there is none or more than one.
    """
    places = [at for at, other in enumerate(names) if other == name]
    if not places:
        shown = ", ".join(map(repr, names[:_SHOWN_NAMES])) + (", …" if len(names) > _SHOWN_NAMES else "")
        raise DataError(f"There is no column {name!r} for the {role}. The columns are {shown}.")
    if len(places) > 1:
        raise DataError(f"{len(places)} columns are named {name!r} (columns {_count_from_one(places)}); choose the {role} by position.")
    return places[0]


def name_of(delimiter: Delimiter) -> str:
    return DELIMITERS.get(delimiter, repr(delimiter))


def sample_lines(text: str, filename: str, skip_lines: int = 0) -> list[tuple[int, str]]:
    """The first lines below ``skip_lines`` that are not blank, with their numbers from 1.

    Raises:
        DataError: there is none.
    """
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if number > skip_lines and line.strip(" ")]
    if not lines and skip_lines:
        raise DataError(f"{filename} has no row below the first {skip_lines:,} line(s), which are to be skipped. Skip fewer.")
    if not lines:
        raise DataError(f"The file {filename} holds only blank lines. Export it again and check that it has rows.")
    return lines[:SAMPLE_LINES]


def guess_delimiter(lines: list[tuple[int, str]], filename: str) -> Delimiter:
    """The delimiter that gives most records the same number of fields.

    Raises:
        DataError: none gives more than one column.
    """
    steady: dict[Delimiter, int] = {}
    best: tuple[float, Delimiter] | None = None
    for delimiter in (*DELIMITERS, *_unusual_delimiters(lines)):
        if best is not None and best[0] >= _STEADY and delimiter not in DELIMITERS:
            break  # signs inside ids and titles are steady too, so they count only where nothing usual fits
        n_columns, share = division(sample_records(lines, delimiter))
        if n_columns > 1 and (best is None or share > best[0]):
            best = (share, delimiter)
        if n_columns > 1 and share >= _STEADY:
            steady[delimiter] = n_columns
    if best is None:
        names = ", ".join(DELIMITERS.values())
        raise DataError(
            f"{filename} has a single column: none of {names} divides its lines. Line {lines[0][0]} reads {lines[0][1][:80]!r}."
        )
    if "::" in steady:
        return "::"
    # A space also stands inside titles and times, so it counts only where nothing else fits.
    others = [delimiter for delimiter in steady if delimiter != " "]
    return max(others, key=lambda delimiter: steady[delimiter]) if others else next(iter(steady), best[1])


def division(records: Sequence[Sample]) -> tuple[int, float]:
    """The number of fields that most records have, and the share of records that have it.

    Records with a single field above the others may be titles, and do not count where the others, at least as many, are alike.
    """
    below = list(dropwhile(lambda record: len(record.fields) == 1, records))
    if 1 < len(below) >= len(records) / 2:
        n_columns, alike = _most_common_count(below)
        if alike >= _STEADY * len(below):
            return n_columns, alike / len(below)
    n_columns, alike = _most_common_count(records)
    return n_columns, alike / len(records)


def _most_common_count(records: Sequence[Sample]) -> tuple[int, int]:
    return Counter(len(record.fields) for record in records).most_common(1)[0]


def _unusual_delimiters(lines: list[tuple[int, str]]) -> list[Delimiter]:
    """Signs that stand in every line, the most frequent first."""
    first = Counter(sign for sign in lines[0][1] if is_delimiter(sign) and sign not in DELIMITERS)
    common = [sign for sign, _ in first.most_common() if all(sign in line for _, line in lines[:50])]
    return common[:5]


def looks_like_header(records: list[Sample]) -> bool:
    """Whether the first row names the columns: known names, or words above a column whose values have digits."""
    first = records[0].fields
    # A table written with its row numbers has no name above them, and one whose lines end in a delimiter has none at their end.
    ends_empty = not any(record.fields[-1] for record in records)
    if not all(first[1 : -1 if ends_empty else None]) or not any(first) or any(_is_number(cell) for cell in first):
        return False
    if any(plain_name(cell) in names for cell in first for names in EXACT_NAMES.values()):
        return True
    body = [record.fields for record in records[1:] if len(record.fields) == len(first)]
    wordy = [at for at, cell in enumerate(first) if not _has_digit(cell)]
    if not body:
        return len(records) == 1 and len(wordy) == len(first)
    return any(sum(_has_digit(row[at]) for row in body) >= _STEADY * len(body) for at in wordy)


def lay_out(records: list[Sample], delimiter: Delimiter, *, has_header: bool, skip_lines: int, filename: str) -> Layout:
    """The layout of a file that starts with ``records``, the first of which has its fields as a header where it is one.

    Raises:
        DataError: there is a header, but no row.
    """
    body = records[1:] if has_header else records
    if not body:
        raise DataError(f"The file {filename} has only a header ({records[0].text[:80]!r}) and no rows.")
    n_columns, _ = _most_common_count(body)
    problems = []
    names = tuple(records[0].fields) if has_header else tuple(f"column {at + 1}" for at in range(n_columns))
    if len(names) != n_columns:
        problems.append(
            f"The header in line {records[0].line} names {len(names)} column(s), but most rows have {n_columns} fields. "
            "Correct the file, or choose “no header” and map columns by position."
        )
    if n_columns == 1:
        problems.append(f"Divided by {name_of(delimiter)}, the rows have a single column. Choose another delimiter.")
    for name, count in Counter(names).items():
        if count > 1:
            places = [at for at, other in enumerate(names) if other == name]
            problems.append(
                f"{count} columns are named {name!r} (columns {_count_from_one(places)}). Look at their values before you choose."
            )
    return Layout(names, n_columns, records[0].last_line if has_header else skip_lines, tuple(problems))


def _count_from_one(places: list[int]) -> str:
    return ", ".join(str(at + 1) for at in places)


def _is_number(text: str) -> bool:
    if _DIGITS_AND_SIGNS.match(text):
        return True
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _has_digit(text: str) -> bool:
    return any(character.isdigit() for character in text)
