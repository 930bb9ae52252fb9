"""By which column the further tables of a dataset are joined, and where that is not clear."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from gnn.sources.detection import Detected
from gnn.sources.guess import rivals
from gnn.sources.kinds import Kind
from gnn.sources.mapping import Role

_JOINED: dict[Role, frozenset[Kind]] = {
    "user": frozenset({"user_attributes", "social"}),
    "item": frozenset({"item_attributes", "item_links", "triples"}),
}
"""The tables that name the users or the items of the interactions."""


def unclear_joins(detected: Detected, columns: Mapping[Role, int | str], kinds: Collection[str]) -> dict[Role, str]:
    """What to check where tables of these ``kinds`` are joined by a column and another looks as much like their key."""
    taken = {column.index for key in columns.values() if (column := detected.column(key)) is not None}
    unclear: dict[Role, str] = {}
    for role, joined in _JOINED.items():
        chosen = detected.column(columns[role]) if role in columns else None
        if chosen is None or joined.isdisjoint(kinds):
            continue
        if others := rivals(role, detected.columns, taken):
            names = " and ".join(repr(column.name) for column in others)
            unclear[role] = (
                f"{names} could be the {role} as well as {chosen.name!r}. Other tables are joined by the {role}: "
                f"if the ids in them are not those of {chosen.name!r}, choose another column."
            )
    return unclear
