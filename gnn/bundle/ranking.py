"""The best items of many users: exact, without sorting a catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gnn.bundle.recommend import Model

Array = np.ndarray[Any, np.dtype[Any]]

GROUP = 64
"""Items whose best score stands for all of them in a first look."""
SCORES_AT_ONCE = 2**23
"""Scores of a block of users, 32 MiB."""


def best(scores: Array, k: int) -> Array:
    """Codes of the best ``k`` of ``scores`` [n_items], best first, without those of minus infinity; equal ones keep the order of items.

    The k-th best of the maxima of disjoint groups is a lower bound of the k-th best score, so that whatever is below cannot be among
    the best. That bound takes one pass over the scores, and leaves little to sort.
    """
    groups = len(scores) // GROUP
    candidates = None
    if groups > k > 0:
        # Group g holds the items g, g + groups, g + 2 * groups, ...: a maximum along rows of many columns runs in vector registers.
        maxima = scores[: groups * GROUP].reshape(GROUP, groups).max(axis=0)
        bound = np.partition(maxima, groups - k)[groups - k]
        if bound > -np.inf:
            candidates = np.flatnonzero(scores >= bound)
    if candidates is None:
        candidates = np.flatnonzero(scores > -np.inf)
    values = scores[candidates]
    if len(values) > k > 0:
        kept = values >= np.partition(values, len(values) - k)[len(values) - k]
        candidates, values = candidates[kept], values[kept]
    chosen: Array = candidates[np.argsort(-values, kind="stable")[:k]]
    return chosen


def rank_all(model: Model, k: int, *, exclude_seen: bool = True) -> Iterator[tuple[int, list[Array], list[Array]]]:
    """The best ``k`` items of every user, in blocks: the code of the first user, and for each the codes of items and their scores.

    Seen items are left out, so that a user who has nearly everything gets fewer.
    """
    users, items = np.asarray(model.users), np.ascontiguousarray(model.items.T)
    block = max(1, SCORES_AT_ONCE // max(1, items.shape[1]))
    for start in range(0, len(users), block):
        scores = users[start : start + block] @ items
        if exclude_seen:
            for row in range(len(scores)):
                scores[row, model.seen(start + row)] = -np.inf
        codes = [best(row, k) for row in scores]
        yield start, codes, [row[chosen] for row, chosen in zip(scores, codes, strict=True)]
