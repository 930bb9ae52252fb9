from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_COMPARED = (
    ("Users", "users"),
    ("Items", "items"),
    ("Interactions", "interactions"),
    ("Different pairs of user and item", "pairs"),
    ("Density", "density"),
    ("Interactions per user, mean", "per_user.mean"),
    ("Interactions per user, median", "per_user.median"),
    ("Interactions per item, mean", "per_item.mean"),
    ("Interactions per item, median", "per_item.median"),
    ("Rows read", "rejects.rows_read"),
    ("Rows kept", "rejects.rows_kept"),
)
"""Label and place of each number, in the order shown."""


@dataclass(frozen=True)
class Change:
    label: str
    before: float
    after: float

    @property
    def difference(self) -> float:
        return self.after - self.before

    @property
    def share(self) -> float | None:
        """Of the old value; None where that is 0."""
        return self.difference / self.before if self.before else None


def profile_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """What differs between the profiles of two versions, in numbers; what stayed the same is left out."""
    pairs = ((label, _at(before, place), _at(after, place)) for label, place in _COMPARED)
    return [Change(label, old, new) for label, old, new in pairs if old is not None and new is not None and old != new]


def _at(profile: Mapping[str, Any], place: str) -> float | None:
    value: Any = profile
    for key in place.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, int | float) else None
