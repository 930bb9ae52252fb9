"""Metrics of rankings, of recommended lists and of predictions, and the two kinds of scores made of the first two.

Validation and test scores are separate types without a common base, so that what picks an architecture
cannot be handed test figures by mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnn.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class ValidationScores:
    """Scores on the validation interactions."""

    values: Mapping[str, float]
    """Mean over evaluated users by metric name, e.g. ``ndcg@20``; coverage and Gini index are of all their lists together."""
    per_user: Mapping[str, Array]
    """What a mean was taken of, for each evaluated user, float32 [n_evaluated]."""
    users: Array
    """Codes of the evaluated users, int64 [n_evaluated]."""


@dataclass(frozen=True, eq=False)
class TestScores:
    """Scores on the test interactions; reported once, never searched on."""

    __test__ = False  # pytest would take the name for a test class

    values: Mapping[str, float]
    """Mean over evaluated users by metric name, e.g. ``ndcg@20``; coverage and Gini index are of all their lists together."""
    per_user: Mapping[str, Array]
    """What a mean was taken of, for each evaluated user, float32 [n_evaluated]."""
    users: Array
    """Codes of the evaluated users, int64 [n_evaluated]."""


def ranking_metrics(hits: Array, relevant: Array, cutoffs: Sequence[int]) -> dict[str, Array]:
    """Every metric of ``gnn.protocol.METRIC_NAMES`` for each user at each cutoff, float32 [users] by name.

    A list shorter than k (fewer unseen items than k) counts as ending in misses: precision still divides by k.
    NDCG gains are 0 or 1, discounted by log2(position + 1), over the best possible list of length k. MAP is the
    mean of the precisions at the hits, over as many as k allows; MRR is 1 / position of the first hit, and 0
    without one; the hit rate counts users with a hit.

    Args:
        hits: whether the item at each place of the user's list is relevant, bool [users, longest list].
        relevant: number of relevant items of each user, at least 1, [users].
        cutoffs: list lengths k, at least 1; may exceed the longest list.
    """
    length = hits.shape[1]
    found = np.cumsum(hits, axis=1, dtype=np.float64)
    discount = 1.0 / np.log2(np.arange(2, length + 2))
    gained = np.cumsum(hits * discount, axis=1)
    precisions = np.cumsum(hits * found / np.arange(1, length + 1), axis=1)
    first = np.where(hits.any(axis=1), hits.argmax(axis=1), np.iinfo(np.int64).max - 1)
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
        metrics[f"map@{k}"] = (precisions[:, last] / np.minimum(relevant, k)).astype(np.float32)
        metrics[f"mrr@{k}"] = np.where(first < k, 1.0 / (first + 1), 0.0).astype(np.float32)
        metrics[f"hit@{k}"] = (first < k).astype(np.float32)
    return metrics


def list_metrics(listed: Array, item_users: Array, n_users: int, cutoffs: Sequence[int]) -> tuple[dict[str, Array], dict[str, float]]:
    """What lists contain, whether it is relevant or not.

    Returns:
        For each user, float32 [users]: ``novelty@k``, the mean of -log2 of the share of users that have an item
        (an item that none has counts as had by one), and ``popularity@k``, the mean number of users that have it.
        An empty list has 0. And of all lists together: ``coverage@k``, the share of the catalogue that is in
        some list, and ``gini@k``, from 0 where every item is listed equally often to nearly 1 where one always is.

    Args:
        listed: items by place, [users, longest list]; -1 where there is none, after the last item.
        item_users: number of training users of each item, [n_items].
        n_users: number of users in the catalogue.
        cutoffs: list lengths k, at least 1; may exceed the longest list.
    """
    present = listed >= 0
    counts = np.maximum(np.cumsum(present, axis=1), 1)
    surprise = -np.log2(np.maximum(item_users, 1) / n_users)
    novelty = np.cumsum(np.where(present, surprise[listed], 0.0), axis=1) / counts
    popularity = np.cumsum(np.where(present, item_users[listed], 0.0), axis=1) / counts
    n_items = len(item_users)
    per_user: dict[str, Array] = {}
    overall: dict[str, float] = {}
    for k in cutoffs:
        last = min(k, listed.shape[1]) - 1
        per_user[f"novelty@{k}"] = novelty[:, last].astype(np.float32)
        per_user[f"popularity@{k}"] = popularity[:, last].astype(np.float32)
        times = np.sort(np.bincount(listed[:, :k][present[:, :k]], minlength=n_items))
        overall[f"coverage@{k}"] = float((times > 0).mean())
        weighted = float((2 * np.arange(1, n_items + 1) - n_items - 1) @ times)
        overall[f"gini@{k}"] = weighted / (n_items * max(1, int(times.sum())))
    return per_user, overall


def user_auc(before: Array, relevant: Array, unseen: Array) -> Array:
    """Probability that a relevant item of the user is ranked above an unseen one that is not, ties counting half; float32 [users].

    A user without an unseen item that is not relevant has 0.5: there is nothing to tell apart.

    Args:
        before: over the relevant items of each user, the sum of how many unseen items are ranked higher, and half of those
            that tie, the item itself among them, [users].
        relevant: number of relevant items of each user, at least 1, [users].
        unseen: number of unseen items of each user, the relevant ones among them, [users].
    """
    others = unseen - relevant
    # Among relevant items each pair has one before the other, or half both ways: relevant ** 2 / 2 in all, with themselves.
    wrong = np.asarray(before, dtype=np.float64) - np.square(relevant, dtype=np.float64) / 2
    right: Array = 1 - np.divide(wrong, relevant * others, out=np.full(len(wrong), 0.5), where=others > 0)
    return right.astype(np.float32)


def auc(scores: Array, labels: Array) -> float:
    """Probability that a positive scores above a negative, ties counting half; for data with labels 0 and 1.

    Raises:
        DataError: there is no positive or no negative.
    """
    labels = np.asarray(labels, dtype=bool)
    positives, negatives = int(labels.sum()), int((~labels).sum())
    if not positives or not negatives:
        raise DataError(f"AUC needs both labels, but there are {positives} positives and {negatives} negatives.")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return float((rank[labels].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def log_loss(probabilities: Array, labels: Array) -> float:
    """Mean negative log-likelihood of labels 0 and 1; probabilities are kept 1e-7 away from 0 and 1."""
    sure = np.clip(np.asarray(probabilities, dtype=np.float64), 1e-7, 1 - 1e-7)
    return float(-np.log(np.where(np.asarray(labels, dtype=bool), sure, 1 - sure)).mean())


def rmse(predicted: Array, observed: Array) -> float:
    """Root of the mean squared error of predicted weights, such as ratings."""
    return float(np.sqrt(np.square(np.subtract(predicted, observed, dtype=np.float64)).mean()))


def means(per_user: Mapping[str, Array]) -> dict[str, float]:
    """Mean of each metric over users, summed in double precision."""
    return {name: float(values.mean(dtype=np.float64)) for name, values in per_user.items()}
