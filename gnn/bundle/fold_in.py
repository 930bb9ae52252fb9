"""Embedding users that a model was not trained with, from their items."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

RIDGE = 1e-3
"""Penalty on the coefficients, as a share of the mean squared length of an input's column."""
ROWS_AT_ONCE = 2**18
"""Item embeddings gathered before they are summed; more would fill memory."""


def fit_fold_in(users: Array, items: Array, seen_indptr: Array, seen_items: Array) -> Array:
    """Coefficients C, float32 [d + 1, d], so that a user is about (mean of the embeddings of the user's items, 1) C.

    Ridge regression in closed form on the users that have items: what layers of message passing, whatever they are, make of a
    neighbourhood is approximated by the linear map that fits all trained users best. A factorisation's fold-in would solve for
    a user anew and know nothing of the layers.

    Args:
        users, items: embeddings to multiply, [n_users, d] and [n_items, d].
        seen_indptr, seen_items: the items of each user, [n_users + 1] and [interactions].
    """
    have = np.flatnonzero(np.diff(seen_indptr))
    dim = items.shape[1]
    gram, product = np.zeros((dim + 1, dim + 1)), np.zeros((dim + 1, dim))
    limits = np.searchsorted(seen_indptr[have], np.arange(0, int(seen_indptr[-1]) + ROWS_AT_ONCE, ROWS_AT_ONCE))
    for start, end in zip(limits[:-1], limits[1:], strict=True):
        some = have[start:end]
        if len(some):
            inputs = np.column_stack([_means(items, seen_indptr, seen_items, some), np.ones(len(some))])
            gram += inputs.T @ inputs
            product += inputs.T @ users[some]
    penalty = np.full(dim + 1, RIDGE * np.trace(gram[:dim, :dim]) / dim)
    penalty[dim] = 0  # the constant is not drawn to zero
    return np.linalg.solve(gram + np.diag(penalty), product).astype(np.float32)


def _means(items: Array, seen_indptr: Array, seen_items: Array, users: Array) -> Array:
    """Mean embedding of each user's items, float64 [users, d]; ``users`` are ascending and each has some."""
    first, last = seen_indptr[users], seen_indptr[users + 1]
    rows = items[seen_items[first[0] : last[-1]]].astype(np.float64)
    means: Array = np.add.reduceat(rows, first - first[0], axis=0) / (last - first)[:, None]
    return means
