"""Which column is the user, the item, the weight, the time: a guess from names and values, with its reason."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from gnn.sources.fields import TRUTHS, UNITS_PER_SECOND, number, seconds
from gnn.sources.mapping import ROLES, TIMESTAMP_UNITS, Role, TimestampUnit
from gnn.sources.names import EXACT_NAMES, HINTS, NOT_IDS, plain_name
from gnn.sources.number_forms import Written, is_dirt, written

CERTAIN, LIKELY, POSSIBLE = 0.95, 0.75, 0.5
"""Confidence of a name that says it, a name that hints at it, and of values or position alone."""

_FIRST_PLAUSIBLE, _LAST_PLAUSIBLE = 473_385_600, 4_102_444_800  # 1985 to 2100: a bare number outside is not taken for a time
_FEW_VALUES = 25
_MOST_UNNAMED = 25
"""More columns without names are a matrix: their order says nothing of users and items."""
_LISTS = 0.05
"""A column holds lists if this share of its values has a separator."""
_MEMBER_WORDS = 3
_ID_ENDINGS = ("id", "idx", "index")


@dataclass(frozen=True)
class Column:
    """A column of the sample and what its values can be read as."""

    index: int
    name: str
    is_number: bool
    """The values that are not empty are finite numbers, but for a few odd ones."""
    odd: int
    """The values of a column of numbers that are none; their rows are rejected if the column is used as numbers."""
    is_whole: bool
    """Every number is a whole one."""
    is_truth: bool
    """Every value that is not empty is true or false in words."""
    filled: int
    """Values that are not empty."""
    distinct: int
    words: float
    """Mean number of words of a value."""
    separator: str | None
    """What divides the members of a list, where values look like lists."""
    low: float
    high: float
    written: Written
    """How its numbers are written."""
    timestamp_unit: TimestampUnit | None
    """The unit in which every value is a plausible time."""
    ambiguous_date: bool
    """The values can be read day first and month first; only a person can tell."""

    @classmethod
    def from_values(cls, index: int, name: str, values: list[str]) -> Column:
        filled = pl.Series("value", [value for value in values if value], dtype=pl.String)
        unit, ambiguous = _unit_of(filled)
        form = written(filled)
        numbers = number(filled, form.decimal, form.thousands)
        numbers = numbers.filter(numbers.is_finite().fill_null(False))
        odd = len(filled) - len(numbers)
        is_number = is_dirt(odd, len(filled))
        low, high = (float(numbers.min()), float(numbers.max())) if is_number else (0.0, 0.0)  # type: ignore[arg-type]
        is_whole = is_number and bool((numbers == numbers.floor()).all())
        is_truth = bool(len(filled)) and bool(filled.str.to_lowercase().is_in(list(TRUTHS)).all())
        return cls(
            index,
            name,
            is_number,
            odd if is_number else 0,
            is_whole,
            is_truth,
            len(filled),
            filled.n_unique(),
            _mean_words(filled),
            _separator(filled),
            low,
            high,
            form,
            unit,
            ambiguous,
        )


@dataclass(frozen=True)
class Guess:
    column: int
    confidence: float
    """From 0 to 1."""
    reason: str


def guess_roles(columns: list[Column], *, named: bool) -> dict[Role, Guess]:
    """At most one column for each role; ``named`` says that the names come from the file."""
    guesses: dict[Role, Guess] = {}
    if named:
        found = [(role, guess) for role in ROLES for column in columns if (guess := _by_name(role, column))]
        for role, guess in sorted(found, key=lambda pair: (-pair[1].confidence, pair[1].column)):
            if role not in guesses and guess.column not in {taken.column for taken in guesses.values()}:
                guesses[role] = guess
    # Where no name helps, values and order do; they must not add a role to a table whose names were understood.
    if "user" in guesses and "item" in guesses:
        return dict(sorted(guesses.items(), key=lambda pair: ROLES.index(pair[0])))
    if not named and len(columns) > _MOST_UNNAMED:
        return guesses
    left = [column for column in columns if column.index not in {guess.column for guess in guesses.values()}]
    if named:
        left = [column for column in left if _is_open(column)]
    for column in left:
        if "timestamp" not in guesses and column.timestamp_unit is not None:
            reason = f"every value can be read as {TIMESTAMP_UNITS[column.timestamp_unit]}"
            guesses["timestamp"] = Guess(column.index, LIKELY, reason)
    left = [column for column in left if column.index not in {guess.column for guess in guesses.values()}]
    for role, order in (("user", "first"), ("item", "second")):
        ids = [column for column in left if (column.is_whole or not column.is_number)]
        if role not in guesses and ids:
            guesses[role] = Guess(ids[0].index, POSSIBLE, f"users and items mostly come in this order, and this is the {order} column left")
            left.remove(ids[0])
    for column in left:
        if "weight" not in guesses and column.is_number and column.distinct > 1 and (column.distinct <= _FEW_VALUES or column.high <= 1e5):
            reason = f"numbers from {column.low:g} to {column.high:g}, {column.distinct} different in the sample"
            guesses["weight"] = Guess(column.index, POSSIBLE, reason)
    return dict(sorted(guesses.items(), key=lambda pair: ROLES.index(pair[0])))


def rivals(role: Role, columns: tuple[Column, ...], taken: Collection[int]) -> list[Column]:
    """The columns, none of those ``taken``, whose names say as clearly that they are ids of the ``role``."""
    free = [column for column in columns if column.index not in taken and _by_name(role, column)]
    return [column for column in free if plain_name(column.name) in EXACT_NAMES[role] or plain_name(column.name).endswith(_ID_ENDINGS)]


def _is_open(column: Column) -> bool:
    """Whether the name leaves room for a role: features say what they are, and row numbers written with a table have no name."""
    plain = plain_name(column.name)
    return bool(plain) and not any(word in plain for word in NOT_IDS)


def _mean_words(filled: pl.Series) -> float:
    return float(filled.str.count_matches(r"\S+").mean() or 0)  # type: ignore[arg-type]


def _separator(filled: pl.Series) -> str | None:
    """The bar or semicolon that divides at least some values into short members."""
    for sign in ("|", ";"):
        if len(filled) and filled.str.contains(sign, literal=True).mean() >= _LISTS:  # type: ignore[operator]
            members = filled.str.split(sign).explode()
            if _mean_words(members) <= _MEMBER_WORDS:
                return sign
    return None


def _by_name(role: Role, column: Column) -> Guess | None:
    plain = plain_name(column.name)
    if not _can_be(role, column) or role in ("user", "item") and not _is_open(column):
        return None
    if plain in EXACT_NAMES[role]:
        return Guess(column.index, CERTAIN, f"the column is named {column.name!r}")
    hint = next((hint for hint in HINTS[role] if hint in plain), None)
    return Guess(column.index, LIKELY, f"the name {column.name!r} contains {hint!r}") if hint else None


def _can_be(role: Role, column: Column) -> bool:
    """Whether the values do not speak against a role."""
    if role == "weight":
        return column.is_number
    if role == "timestamp":
        return column.timestamp_unit is not None
    if role == "label":
        return column.is_number and column.low >= 0 and column.high <= 1 or column.is_truth
    if role in ("behaviour", "domain"):
        return column.distinct <= _FEW_VALUES
    if role == "propensity":
        return column.is_number and column.low > 0 and column.high <= 1
    if role == "position":
        return column.is_whole and column.timestamp_unit is None
    return True


def _unit_of(filled: pl.Series) -> tuple[TimestampUnit | None, bool]:
    """The unit in which the values are times, judged over the whole column, and whether day and month could be swapped."""
    for unit in (*UNITS_PER_SECOND, "iso"):
        if _are_times(filled, unit):
            return unit, False
    day_first, month_first = _are_times(filled, "dmy"), _are_times(filled, "mdy")
    return ("dmy" if day_first else "mdy" if month_first else None), day_first and month_first


def _are_times(filled: pl.Series, unit: TimestampUnit) -> bool:
    times = seconds(filled, unit)
    plausible = times.filter(times.is_between(_FIRST_PLAUSIBLE, _LAST_PLAUSIBLE)) if unit in UNITS_PER_SECOND else times
    odd = len(filled) - len(plausible) + plausible.null_count()
    return is_dirt(odd, len(filled))
