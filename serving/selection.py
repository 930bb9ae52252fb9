"""Which items stay: filters, and a list that does not say the same thing twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnn.bundle.recommend import best
from serving.served import Served

Array = np.ndarray[Any, np.dtype[Any]]

POOL = 10
"""Items that diversity chooses from, for each that is wanted."""
SMALLEST_POOL = 100


class Refused(Exception):
    """A question that has no answer; ``status`` is that of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Filters:
    """What may be recommended, the same for all lists of a question."""

    allowed: Array | None
    """Codes, ascending; None for every item."""
    denied: Array
    """Codes."""
    ignored: tuple[str, ...]
    """Items of the lists that the model does not know."""

    @classmethod
    def of(cls, served: Served, *, allow: Sequence[str] | None, deny: Sequence[str], where: Sequence[str]) -> Filters:
        """From ids, and conditions ``attribute=value``: any of the values of an attribute, and all of the attributes.

        Raises:
            Refused: a condition names no attribute of the items.
        """
        denied, unknown = known_items(served, deny)
        allowed = None
        if allow is not None:
            allowed, more = known_items(served, allow)
            unknown += more
        for wanted in _by_attribute(served, where):
            allowed = wanted if allowed is None else np.intersect1d(allowed, wanted)
        return cls(allowed, denied, tuple(unknown))

    def apply(self, scores: Array) -> None:
        """Give what may not be recommended minus infinity; ``scores`` [n_items] is changed."""
        if self.allowed is not None:
            kept = scores[self.allowed]
            scores.fill(-np.inf)
            scores[self.allowed] = kept
        scores[self.denied] = -np.inf


def known_items(served: Served, items: Sequence[str]) -> tuple[Array, list[str]]:
    """Codes, ascending and each once, and the ids that the model does not know."""
    codes, unknown = served.model.item_codes, []
    found = set()
    for item in items:
        code = codes.get(item)
        if code is None:
            unknown.append(item)
        else:
            found.add(code)
    return np.array(sorted(found), dtype=np.int64), unknown


def _by_attribute(served: Served, where: Sequence[str]) -> list[Array]:
    conditions: dict[str, set[str]] = {}
    for condition in where:
        name, sign, value = condition.partition("=")
        if not sign:
            raise Refused(422, f"A condition is written attribute=value, but {condition[:100]!r} has no '='.")
        conditions.setdefault(name, set()).add(value)
    known = served.attributes.values
    for name in conditions:
        if name not in known:
            has = f"has {', '.join(sorted(known))}" if known else "has none"
            raise Refused(422, f"Items cannot be filtered by {name[:100]!r}: the model's dataset {has}.")
    nothing = np.zeros(0, dtype=np.int64)
    return [
        np.unique(np.concatenate([nothing, *(known[name][value] for value in values if value in known[name])]))
        for name, values in conditions.items()
    ]


def chosen(served: Served, scores: Array, k: int, mmr_lambda: float | None) -> Array:
    """The best ``k`` codes, or with a lambda those that balance score against likeness among themselves."""
    if mmr_lambda is None:
        return best(scores, k)
    pool = best(scores, max(POOL * k, SMALLEST_POOL))
    if len(pool) < 2:
        return pool
    vectors = served.model.directions[pool]
    return pool[mmr(scores[pool], vectors @ vectors.T, k, mmr_lambda)]


def mmr(scores: Array, similarity: Array, k: int, weight: float) -> Array:
    """Maximal marginal relevance: places of ``k`` candidates, in the order in which they are taken.

    Each next one has the highest ``weight * relevance - (1 - weight) * (its highest similarity to those taken)`` (Carbonell and
    Goldstein, 1998, equation 1). Scores know no unit, so that relevance is their place between the worst and the best candidate;
    a weight of 1 gives the order of the scores.

    Args:
        scores: [candidates], descending.
        similarity: [candidates, candidates].
    """
    spread = float(scores[0] - scores[-1])
    relevance = weight * ((scores - scores[-1]) / spread if spread > 0 else np.ones_like(scores))
    nearest = np.full(len(scores), -np.inf, dtype=similarity.dtype)
    taken = [0]
    while len(taken) < min(k, len(scores)):
        np.maximum(nearest, similarity[taken[-1]], out=nearest)
        value = relevance - (1 - weight) * nearest
        value[taken] = -np.inf
        taken.append(int(np.argmax(value)))
    return np.array(taken)
