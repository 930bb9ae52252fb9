"""Which column is the user, the item, the weight, the time: a guess from names and values, with its reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import polars as pl

from gnn.sources.fields import UNITS_PER_SECOND, number, seconds
from gnn.sources.mapping import ROLES, TIMESTAMP_UNITS, Role, TimestampUnit

CERTAIN, LIKELY, POSSIBLE = 0.95, 0.75, 0.5
"""Confidence of a name that says it, a name that hints at it, and of values or position alone."""

EXACT_NAMES: dict[Role, frozenset[str]] = {
    "user": frozenset(
        {
            "user",
            "userid",
            "useridx",
            "uid",
            "username",
            "usr",
            "customer",
            "customerid",
            "client",
            "clientid",
            "visitor",
            "visitorid",
            "member",
            "reviewerid",
            "buyer",
        }
    ),
    "item": frozenset(
        {
            "item",
            "itemid",
            "itemidx",
            "iid",
            "movie",
            "movieid",
            "product",
            "productid",
            "asin",
            "track",
            "trackid",
            "song",
            "songid",
            "book",
            "bookid",
            "isbn",
            "game",
            "gameid",
            "sku",
        }
    ),
    "weight": frozenset(
        {
            "weight",
            "rating",
            "ratings",
            "score",
            "stars",
            "value",
            "playcount",
            "plays",
            "count",
            "hours",
            "watchtime",
            "duration",
            "quantity",
            "overall",
        }
    ),
    "timestamp": frozenset({"timestamp", "time", "ts", "date", "datetime", "unixreviewtime", "createdat", "eventtime"}),
}
HINTS: dict[Role, tuple[str, ...]] = {
    "user": ("user", "customer", "visitor", "client", "member", "account", "session"),
    "item": ("item", "movie", "product", "track", "song", "book", "game", "article", "artist", "business", "venue", "anime"),
    "weight": ("rating", "score", "weight", "hours", "count", "stars", "watch"),
    "timestamp": ("time", "date"),
}
_FIRST_PLAUSIBLE, _LAST_PLAUSIBLE = 473_385_600, 4_102_444_800  # 1985 to 2100: a bare number outside is not taken for a time
_FEW_VALUES = 25


@dataclass(frozen=True)
class Column:
    """A column of the sample and what its values can be read as."""

    index: int
    name: str
    is_number: bool
    """Every value that is not empty is a finite number."""
    is_whole: bool
    """Every such number is a whole one."""
    distinct: int
    low: float
    high: float
    decimal: Literal[".", ","]
    timestamp_unit: TimestampUnit | None
    """The unit in which every value is a plausible time."""

    @classmethod
    def from_values(cls, index: int, name: str, values: list[str]) -> Column:
        filled = pl.Series("value", [value for value in values if value], dtype=pl.String)
        comma = bool(len(filled)) and bool(filled.str.contains(r"^[+-]?\d+,\d+$").any())
        decimal: Literal[".", ","] = "," if comma else "."
        numbers = filled.to_frame().select(number(pl.col("value"), decimal)).to_series()
        is_number = bool(len(numbers)) and numbers.null_count() == 0 and bool(numbers.is_finite().all())
        low, high = (float(numbers.min()), float(numbers.max())) if is_number else (0.0, 0.0)  # type: ignore[arg-type]
        is_whole = is_number and bool((numbers == numbers.floor()).all())
        return cls(index, name, is_number, is_whole, filled.n_unique(), low, high, decimal, _unit_of(filled))


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
    left = [column for column in columns if column.index not in {guess.column for guess in guesses.values()}]
    for column in left:
        if "timestamp" not in guesses and column.timestamp_unit is not None:
            reason = f"every value can be read as {TIMESTAMP_UNITS[column.timestamp_unit]}"
            guesses["timestamp"] = Guess(column.index, LIKELY, reason)
    left = [column for column in left if column.index not in {guess.column for guess in guesses.values()}]
    for role, order in (("user", "first"), ("item", "second")):
        ids = [column for column in left if column.is_whole or not column.is_number]
        if role not in guesses and ids:
            guesses[role] = Guess(ids[0].index, POSSIBLE, f"users and items mostly come in this order, and this is the {order} column left")
            left.remove(ids[0])
    for column in left:
        if "weight" not in guesses and column.is_number and column.distinct > 1 and (column.distinct <= _FEW_VALUES or column.high <= 1e5):
            reason = f"numbers from {column.low:g} to {column.high:g}, {column.distinct} different in the sample"
            guesses["weight"] = Guess(column.index, POSSIBLE, reason)
    return dict(sorted(guesses.items(), key=lambda pair: ROLES.index(pair[0])))


def plain_name(name: str) -> str:
    """Lower-case letters and digits only, without a type as in RecBole's ``user_id:token``."""
    return re.sub(r"[^a-z0-9]", "", name.lower().split(":")[0])


def _by_name(role: Role, column: Column) -> Guess | None:
    plain = plain_name(column.name)
    if (role == "weight" and not column.is_number) or (role == "timestamp" and column.timestamp_unit is None):
        return None
    if plain in EXACT_NAMES[role]:
        return Guess(column.index, CERTAIN, f"the column is named {column.name!r}")
    hint = next((hint for hint in HINTS[role] if hint in plain), None)
    return Guess(column.index, LIKELY, f"the name {column.name!r} contains {hint!r}") if hint else None


def _unit_of(filled: pl.Series) -> TimestampUnit | None:
    for unit in ("iso", *UNITS_PER_SECOND):
        times = filled.to_frame().select(seconds(pl.col("value"), unit)).to_series()
        plausible = times if unit == "iso" else times.filter(times.is_between(_FIRST_PLAUSIBLE, _LAST_PLAUSIBLE))
        # One odd value in a hundred is dirt, not another unit.
        if len(filled) and len(plausible) - plausible.null_count() >= 0.99 * len(filled):
            return unit
    return None
