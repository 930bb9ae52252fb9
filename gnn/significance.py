"""Whether one model is better than another, from the scores of the same users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import wilcoxon

from gnn.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]

RESAMPLES = 2000
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


def compare(ours: Array, theirs: Array, *, confidence: float = 0.95, seed: int = 0) -> Comparison:
    """Compare the values of one metric for the same users in the same order, [users] each.

    The test ranks equal users half to either side (zero_method "zsplit"), so that ties weaken its verdict.

    Raises:
        DataError: there is no user, or the two are not of the same users.
    """
    if ours.shape != theirs.shape or ours.ndim != 1 or len(ours) == 0:
        raise DataError(f"A paired comparison needs the same users twice, but got values of shapes {ours.shape} and {theirs.shape}.")
    difference = ours.astype(np.float64) - theirs
    n = len(difference)
    generator = np.random.default_rng(seed)
    rows = max(1, VALUES_AT_ONCE // n)
    resampled = [
        difference[generator.integers(0, n, (min(rows, RESAMPLES - start), n))].mean(axis=1) for start in range(0, RESAMPLES, rows)
    ]
    low, high = np.quantile(np.concatenate(resampled), [(1 - confidence) / 2, (1 + confidence) / 2])
    p_value = float(wilcoxon(difference, zero_method="zsplit").pvalue) if difference.any() else 1.0
    return Comparison(float(difference.mean()), float(low), float(high), p_value)
