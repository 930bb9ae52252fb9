"""A metric by groups of users and of items, and how sure its mean is: small enough to keep with every result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

GROUPS = 4
METRICS = ("precision", "recall", "f1", "ndcg")
"""Those that are sliced, beside the one that is maximised."""
DIGITS = 6
"""Significant ones that are kept."""


@dataclass(frozen=True)
class Slice:
    """Users of a range of activity, or held-out items of a range of popularity."""

    low: int
    high: int
    """The least and the most training interactions of those in it."""
    size: int
    """Evaluated users, or held-out interactions."""
    values: Mapping[str, tuple[float, float]]
    """Metric -> mean and its standard error."""

    def to_json(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high, "size": self.size, "values": {name: list(pair) for name, pair in self.values.items()}}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Slice:
        values = {name: (float(mean), float(error)) for name, (mean, error) in document["values"].items()}
        return cls(document["low"], document["high"], document["size"], values)


@dataclass(frozen=True)
class Slices:
    """What is kept of the values of single users after their means were taken."""

    errors: Mapping[str, float]
    """Metric -> standard error of its mean over users."""
    activity: Sequence[Slice] = ()
    popularity: Sequence[Slice] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "errors": dict(self.errors),
            "activity": [part.to_json() for part in self.activity],
            "popularity": [part.to_json() for part in self.popularity],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Slices | None:
        """None for the empty document of a result of which nothing was kept."""
        if not document:
            return None
        activity, popularity = ([Slice.from_json(part) for part in document[name]] for name in ("activity", "popularity"))
        return cls(document["errors"], activity, popularity)


def standard_errors(per_user: Mapping[str, Array]) -> dict[str, float]:
    """Standard error of the mean of each metric over users, [U] each; 0 for a single user, whose mean has none that can be told."""
    return {name: _mean_and_error(values)[1] for name, values in per_user.items()}


def by_activity(per_user: Mapping[str, Array], metrics: Sequence[str], users: Array, activity: Array) -> list[Slice]:
    """Means over users of about equally many, from the least to the most active; equally active users stay together.

    Args:
        per_user: each metric for each evaluated user, [U] by name.
        users: codes of the evaluated users, int64 [U].
        activity: training interactions of every user, [n_users].
    """
    own = activity[users]
    group = quantile_groups(own)
    slices = []
    for number in np.unique(group):
        inside = group == number
        values = {name: _mean_and_error(per_user[name][inside]) for name in metrics}
        slices.append(Slice(int(own[inside].min()), int(own[inside].max()), int(inside.sum()), values))
    return slices


def by_popularity(found: Array, metric: str, owner: Array, items: Array, popularity: Array) -> list[Slice]:
    """Share of the held-out interactions that were recommended, from those of the rarest to those of the most popular items.

    The standard error takes the interactions of one user as one draw, since they share a list: that of a ratio of sums over
    users (Cochran 1977, Sampling Techniques, section 6.4, without the correction for a finite population).

    Args:
        found: whether each held-out interaction is in its user's list, bool [P].
        metric: what the share is called, e.g. ``recall@20``.
        owner: the user of each, [P].
        items: the item of each, [P].
        popularity: training interactions of every item, [n_items].
    """
    own = popularity[items]
    group = quantile_groups(own)
    slices = []
    for number in np.unique(group):
        inside = group == number
        _, user = np.unique(owner[inside], return_inverse=True)
        hits = found[inside].astype(np.float64)
        share = float(hits.mean())
        residuals = np.bincount(user, hits - share)
        n_users = len(residuals)
        error = float(np.sqrt(np.square(residuals).sum() * n_users / max(1, n_users - 1)) / len(hits))
        pair = (_rounded(share), _rounded(error if n_users > 1 else 0.0))
        slices.append(Slice(int(own[inside].min()), int(own[inside].max()), len(hits), {metric: pair}))
    return slices


def quantile_groups(values: Array) -> Array:
    """The group of each value, ascending: ``GROUPS`` of about one size, or fewer where equal values, which stay together, fill more."""
    bounds = np.quantile(values, np.arange(1, GROUPS) / GROUPS, method="inverted_cdf")
    return np.searchsorted(np.unique(bounds), values, side="left")


def _mean_and_error(values: Array) -> tuple[float, float]:
    exact = np.asarray(values, dtype=np.float64)
    error = exact.std(ddof=1) / np.sqrt(len(exact)) if len(exact) > 1 else 0.0
    return _rounded(float(exact.mean())), _rounded(float(error))


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
