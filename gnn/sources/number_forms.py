"""How the numbers of a column are written: the decimal sign and what divides thousands, judged over the column as a whole."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from gnn.sources.fields import GROUPS, number
from gnn.sources.mapping import Decimal, Thousands

_SURE: dict[Thousands, str] = {
    ",": r"^[+-]?\d{1,3}(?:,\d{2,3})*,\d{3}\.\d+$|^[+-]?\d{1,3}(?:,\d{2,3})+,\d{3}$",
    ".": r"^[+-]?\d{1,3}(?:\.\d{3})+,\d+$|^[+-]?\d{1,3}(?:\.\d{3}){2,}$",
    " ": GROUPS[" "][1],
    "'": GROUPS["'"][1],
}
"""Numbers that can be read in no other way than with this sign between thousands."""
_EITHER: dict[Decimal, str] = {",": r"^[+-]?[1-9]\d{0,2},\d{3}$", ".": r"^[+-]?[1-9]\d{0,2}\.\d{3}$"}
"""Numbers in which the sign may divide thousands and may be the decimal sign."""
_FRACTION: dict[Decimal, str] = {",": r"^[+-]?\d*,\d+$", ".": r"^[+-]?\d*\.\d+$"}
_ODD, _ENOUGH_FOR_ONE = 0.01, 10
"""One odd value in a hundred is dirt, and so is a single one among at least ten."""


class Written(NamedTuple):
    decimal: Decimal
    thousands: Thousands
    unclear: str
    """A number that may be meant otherwise, where the sign in all such numbers of the column may divide thousands as well; or empty."""


def written(filled: pl.Series) -> Written:
    """The form in which most values are numbers; thousands are seen where nothing else explains the values.

    Of ``1,234`` alone the comma is a decimal sign, as it is where a fraction of another length stands beside.
    """

    def count(pattern: str) -> int:
        return int(filled.str.contains(pattern).sum())

    forms: list[tuple[Decimal, Thousands]] = []
    signs: tuple[tuple[Decimal, Decimal], ...] = ((",", "."), (".", ","))
    for thousands, decimal in signs:
        fractions = count(_FRACTION[decimal]) - count(_EITHER[decimal])
        if count(_SURE[thousands]) or count(_EITHER[thousands]) and fractions and not is_dirt(fractions, len(filled)):
            forms.append((decimal, thousands))
    comma: Decimal = "," if count(r",\d+$") else "."
    blanks: tuple[Thousands, ...] = (" ", "'")
    forms += [(comma, thousands) for thousands in blanks if count(_SURE[thousands])]
    forms += [(",", "")] if count(_FRACTION[","]) else []
    decimal, thousands_sign = max([*forms, (".", "")], key=lambda form: int(number(filled, *form).is_finite().sum()))
    either = filled.filter(filled.str.contains(_EITHER[decimal]))
    unclear = not thousands_sign and len(either) and len(either) == count(r"\." if decimal == "." else ",")
    return Written(decimal, thousands_sign, either[0] if unclear else "")


def is_dirt(odd: int, n: int) -> bool:
    """Whether ``odd`` values of ``n`` that are unlike the others are few enough to be mistakes."""
    return n > 0 and (odd <= _ODD * n or odd == 1 and n >= _ENOUGH_FOR_ONE)
