"""A baseline beside a model: what is near to a user's items by who has them."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def nearest_items(indptr: Array, items: Array, n_items: int, has: Array) -> Array:
    """Scores of all items, float64 [n_items]: the sum of the cosines between an item's users and those of each item that somebody has.

    ItemKNN with all neighbours, for one user in two passes over the interactions and without a matrix of items.

    Args:
        indptr, items: the items of each user, [n_users + 1] and [interactions].
        has: codes of the items of whoever asks.
    """
    lengths = np.sqrt(np.maximum(np.bincount(items, minlength=n_items), 1))
    wanted = np.zeros(n_items)
    wanted[has] = 1 / lengths[has]
    users = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    weights = np.bincount(users, weights=wanted[items], minlength=len(indptr) - 1)
    scores: Array = np.bincount(items, weights=weights[users], minlength=n_items) / lengths
    return scores
