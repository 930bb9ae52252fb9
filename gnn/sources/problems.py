"""What a person should know before a file is read as it was understood."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from gnn.sources.fields import number
from gnn.sources.guess import Column, Guess
from gnn.sources.mapping import NUMERIC_ROLES, ROLE_LABELS, Delimiter, Role
from gnn.sources.names import EXACT_NAMES, plain_name

_WANTED: dict[Role, str] = {"weight": "number", "timestamp": "time in a known form"}


def problems_of(
    columns: Sequence[Column], guesses: Mapping[Role, Guess], rows: list[tuple[str, ...]], delimiter: Delimiter, *, named: bool
) -> tuple[str, ...]:
    """Where the values of columns do not show how they are meant, or are not what the name of the column says.

    ``named`` says that names come from the file; ``rows`` are the sample, one field for each column.
    """
    problems: list[str] = []
    time = guesses.get("timestamp")
    if time is not None and columns[time.column].ambiguous_date:
        name = columns[time.column].name
        problems.append(f"The dates of column {name!r} can be read day first and month first. Choose which is meant.")
    for role in NUMERIC_ROLES:
        if role in guesses:
            problems += _unclear_numbers(columns[guesses[role].column], delimiter)
    if named and "user" in guesses and "item" in guesses:
        problems += _left_out(columns, guesses, rows)
    return tuple(problems)


def _left_out(columns: Sequence[Column], guesses: Mapping[Role, Guess], rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Columns named like a weight or a time whose values are none, where no other column is."""
    for role, wanted in _WANTED.items():
        named = (column for column in columns if plain_name(column.name) in EXACT_NAMES[role])
        column = None if role in guesses else next(named, None)
        if column is None or any(guess.column == column.index for guess in guesses.values()):
            continue
        values = pl.Series([value for row in rows if (value := row[column.index])], dtype=pl.String)
        read = number(values, *column.written[:2]) if role == "weight" else pl.Series([None] * len(values), dtype=pl.Int64)
        if len(odd := values.filter(read.is_null())):
            yield (
                f"Column {column.name!r} is named like a {ROLE_LABELS[role].lower()}, but {odd[0][:40]!r} in it is no {wanted}. "
                "It is left out unless you choose it, and then rows with such values are rejected."
            )


def _unclear_numbers(column: Column, delimiter: Delimiter) -> Iterator[str]:
    """What to choose where thousands and fractions look alike; with a dot they mostly are fractions, but for files that avoid the comma."""
    decimal, _, example = column.written
    if not example or (decimal == "." and delimiter != ";"):
        return
    sign = "comma" if decimal == "," else "dot"
    yield (
        f"In column {column.name!r} the {sign} of numbers such as {example} may be the decimal sign or divide thousands. "
        "It is taken for the decimal sign. Choose how numbers are written if it is not."
    )
