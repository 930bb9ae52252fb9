"""Whether one model is better than another, from the scores of the same users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from gnn.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]

RESAMPLES = 2000
SAME = 1e-6
"""Difference up to which two values of a metric, kept in single precision and averaged over seeds, are taken as equal."""
VALUES_AT_ONCE = 2**24
"""Resampled differences held in memory at a time (128 MiB)."""


@dataclass(frozen=True)
class Comparison:
    """How much the first model is ahead of the second."""

    difference: float
    """Mean over users."""
    low: float
    high: float
    """Limits of the bootstrap confidence interval of the difference, over users."""
    p_value: float
    """Of Wilcoxon's signed-rank test; 1 where the models are equal for every user."""
    confidence: float = 0.95
    family: int = 1
    """Comparisons that the p value is corrected for."""

    @property
    def separable(self) -> bool:
        """Whether interval and test, corrected for how many there are, leave no doubt which model is ahead.

        The interval of one comparison leaves out 0 by chance more often the more comparisons there are.
        """
        return (self.low > 0 or self.high < 0) and self.p_value < 1 - self.confidence


def align(users: Array, ours: Array, their_users: Array, theirs: Array) -> tuple[Array, Array]:
    """The values of two models in the same order of users, as :func:`compare` wants them.

    Args:
        users, their_users: what each value belongs to, codes or ids, each user once, [users].

    Raises:
        DataError: the models were not judged on the same users.
    """
    order, their_order = np.argsort(users), np.argsort(their_users)
    if not np.array_equal(users[order], their_users[their_order]):
        missing = len(np.setxor1d(users, their_users))
        raise DataError(
            f"The models were not judged on the same users: {missing:,} of {len(users):,} and {len(their_users):,} are of one alone."
        )
    return ours[order], theirs[their_order]


def compare(ours: Array, theirs: Array, *, confidence: float = 0.95, seed: int = 0) -> Comparison:
    """Compare the values of one metric for the same users in the same order, [users] each.

    The test ranks equal users half to either side (zero_method "zsplit"), so that ties weaken its verdict.

    Raises:
        DataError: there is no user, or the two are not of the same users.
    """
    _check_paired(ours, theirs)
    difference = ours.astype(np.float64) - theirs
    n = len(difference)
    generator = np.random.default_rng(seed)
    rows = max(1, VALUES_AT_ONCE // n)
    resampled = [
        difference[generator.integers(0, n, (min(rows, RESAMPLES - start), n), dtype=np.int32)].mean(axis=1)
        for start in range(0, RESAMPLES, rows)
    ]
    low, high = np.quantile(np.concatenate(resampled), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Comparison(float(difference.mean()), float(low), float(high), _wilcoxon(difference), confidence)


def _check_paired(ours: Array, theirs: Array) -> None:
    if ours.shape != theirs.shape or ours.ndim != 1 or len(ours) == 0:
        raise DataError(f"A paired comparison needs the same users twice, but got values of shapes {ours.shape} and {theirs.shape}.")


def _wilcoxon(difference: Array) -> float:
    from scipy.stats import wilcoxon  # noqa: PLC0415 (60 MB of a web process, for one page)

    return float(wilcoxon(difference, zero_method="zsplit").pvalue) if difference.any() else 1.0


def corrected(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons with their p values corrected for how many there are, by Holm's step-down procedure (Holm 1979).

    The k-th smallest of m is multiplied by m - k + 1, and is at least as large as those below it; so the chance of any false
    rejection stays at the level. Intervals are left as they are.
    """
    family, largest = len(comparisons), 0.0
    found = list(comparisons)
    for place, index in enumerate(sorted(range(family), key=lambda i: comparisons[i].p_value)):
        largest = max(largest, min(1.0, (family - place) * comparisons[index].p_value))
        found[index] = replace(comparisons[index], p_value=largest, family=family)
    return found


@dataclass(frozen=True)
class WinLoss:
    """For how many users which of two models is better, and how sure the difference is."""

    wins: int
    losses: int
    ties: int
    difference: float
    """Mean over users."""
    low: float
    high: float
    """Limits of the confidence interval of the difference, by the normal distribution."""
    p_value: float
    """Of Wilcoxon's signed-rank test; 1 where the models are equal for every user."""

    @property
    def users(self) -> int:
        return self.not_worse + self.losses

    @property
    def not_worse(self) -> int:
        return self.wins + self.ties


def win_loss(ours: Array, theirs: Array) -> WinLoss:
    """Count the users for whom the first model is better, worse or equal, [users] each in the same order.

    Without resampling, which :func:`compare` does, it is quick enough for a page; over hundreds of users the intervals agree.

    Raises:
        DataError: there is no user, or the two are not of the same users.
    """
    _check_paired(ours, theirs)
    difference = ours.astype(np.float64) - theirs
    mean = float(difference.mean())
    half = float(NormalDist().inv_cdf(0.975) * difference.std(ddof=1) / np.sqrt(len(difference))) if len(difference) > 1 else float("inf")
    wins, losses = int((difference > SAME).sum()), int((difference < -SAME).sum())
    return WinLoss(wins, losses, len(difference) - wins - losses, mean, mean - half, mean + half, _wilcoxon(difference))


def verdict_sentence(ours: str, theirs: str, metric: str, comparison: Comparison) -> str:
    """One sentence for people, e.g. "PPO's best beats EASE by 0.012 NDCG@20 (95 % CI 0.009 to 0.015)." """
    low, high = comparison.low, comparison.high
    if high < 0:
        low, high = -high, -low
    # Three decimals, or as many as it takes for a limit above 0 not to read as 0.
    decimals = next((n for n in range(3, 6) if not comparison.separable or round(low, n) > 0), 6)
    interval = f"{100 * comparison.confidence:g} % CI {low:z.{decimals}f} to {high:z.{decimals}f}"
    p = "< 0.001" if comparison.p_value < 0.001 else f"= {comparison.p_value:.3f}"
    test = f"; p {p}, Holm-corrected for {comparison.family} comparisons" if comparison.family > 1 else ""
    if not comparison.separable:
        # A comma that closes an apposition ("the best baseline, EASE,") is not followed by a bracket.
        return f"{ours} is not separable from {theirs.removesuffix(',')} ({interval} {metric}{test})."
    verb = "beats" if comparison.low > 0 else "is behind"
    return f"{ours} {verb} {theirs} by {abs(comparison.difference):.{decimals}f} {metric} ({interval}{test})."
