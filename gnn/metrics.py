"""Ranking metrics per user, and the two kinds of scores made of them.

Validation and test scores are separate types without a common base, so that what picks an architecture
cannot be handed test figures by mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class ValidationScores:
    """Scores on the validation interactions."""

    values: Mapping[str, float]
    """Mean over evaluated users by metric name, e.g. ``ndcg@20``."""
    per_user: Mapping[str, Array]
    """The same for each evaluated user, float32 [n_evaluated]."""
    users: Array
    """Codes of the evaluated users, int64 [n_evaluated]."""


@dataclass(frozen=True, eq=False)
class TestScores:
    """Scores on the test interactions; reported once, never searched on."""

    __test__ = False  # pytest would take the name for a test class

    values: Mapping[str, float]
    """Mean over evaluated users by metric name, e.g. ``ndcg@20``."""
    per_user: Mapping[str, Array]
    """The same for each evaluated user, float32 [n_evaluated]."""
    users: Array
    """Codes of the evaluated users, int64 [n_evaluated]."""


def ranking_metrics(hits: Array, relevant: Array, cutoffs: Sequence[int]) -> dict[str, Array]:
    """Precision, recall, F1 and NDCG of each user at each cutoff, float32 [users] by name.

    A list shorter than k (fewer unseen items than k) counts as ending in misses: precision still divides by k.
    NDCG gains are 0 or 1, discounted by log2(position + 1), over the best possible list of length k.

    Args:
        hits: whether the item at each place of the user's list is relevant, bool [users, longest list].
        relevant: number of relevant items of each user, at least 1, [users].
        cutoffs: list lengths k, at least 1; may exceed the longest list.
    """
    length = hits.shape[1]
    found = np.cumsum(hits, axis=1, dtype=np.float64)
    discount = 1.0 / np.log2(np.arange(2, length + 2))
    gained = np.cumsum(hits * discount, axis=1)
    # best_gain[n]: the gain of a list that starts with n relevant items.
    most = max([length, *cutoffs])
    best_gain = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(2, most + 2)))])
    metrics: dict[str, Array] = {}
    for k in cutoffs:
        last = min(k, length) - 1
        precision = found[:, last] / k
        recall = found[:, last] / relevant
        total = precision + recall
        metrics[f"precision@{k}"] = precision.astype(np.float32)
        metrics[f"recall@{k}"] = recall.astype(np.float32)
        metrics[f"f1@{k}"] = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0).astype(np.float32)
        metrics[f"ndcg@{k}"] = (gained[:, last] / best_gain[np.minimum(relevant, k)]).astype(np.float32)
    return metrics


def means(per_user: Mapping[str, Array]) -> dict[str, float]:
    """Mean of each metric over users, summed in double precision."""
    return {name: float(values.mean(dtype=np.float64)) for name, values in per_user.items()}
