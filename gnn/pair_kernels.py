"""Compiled loops over pairs of a user and an item: their scores, the gradients of these, and unseen items.

Every number is summed by one thread in a fixed order, so a result does not depend on the number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from gnn.kernels import FAST, NEVER, PARTS, FloatArray, IntArray, LongArray, sum_rows

DoubleArray = np.ndarray[Any, np.dtype[np.float64]]


@njit(cache=True, parallel=True, nogil=True, fastmath=FAST)
def scores(users: FloatArray, items: FloatArray, some: LongArray, of: LongArray, out: FloatArray) -> None:
    """out[p, m] = <users[some[p]], items[of[p, m]]>."""
    width = users.shape[1]
    for pair in prange(len(some)):
        user = some[pair]
        for m in range(of.shape[1]):
            item = of[pair, m]
            total = out.dtype.type(0.0)
            for k in range(width):
                total += users[user, k] * items[item, k]
            out[pair, m] = total


@njit(cache=True, nogil=True)
def _group(keys: LongArray, indptr: IntArray, order: IntArray) -> None:
    """Counting sort: the places of key r in ``keys`` become order[indptr[r] : indptr[r + 1]], ascending."""
    n = len(indptr) - 1
    indptr[:] = 0
    for key in keys:
        indptr[key + 1] += 1
    for r in range(n):
        indptr[r + 1] += indptr[r]
    for place in range(len(keys)):
        order[indptr[keys[place]]] = place
        indptr[keys[place]] += 1
    for r in range(n, 0, -1):
        indptr[r] = indptr[r - 1]
    indptr[0] = 0


@njit(cache=True, nogil=True)
def _limit(indptr: IntArray, part: int) -> int:
    """Where the rows of a part start, of PARTS with about equally many entries and rows."""
    rows = len(indptr) - 1
    work = (indptr[rows] + rows) * part // PARTS
    low, high = 0, rows
    while low < high:
        middle = (low + high) // 2
        if indptr[middle] + middle < work:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, parallel=True, nogil=True, fastmath=FAST)
def scores_backward(
    users: FloatArray,
    items: FloatArray,
    some: LongArray,
    of: LongArray,
    grad: FloatArray,
    grad_users: FloatArray,
    grad_items: FloatArray,
) -> None:
    """Gradients of users and items from that of the scores, [P, M].

    Pairs share rows, so they are first grouped by user and by item, and threads share out rows.
    """
    count = of.shape[1]
    flat, flat_grad = of.reshape(-1), grad.reshape(-1)
    of_user, of_item = np.empty(len(users) + 1, np.int32), np.empty(len(items) + 1, np.int32)
    by_user, by_item = np.empty(len(some), np.int32), np.empty(len(flat), np.int32)
    for side in prange(2):
        if side == 0:
            _group(some, of_user, by_user)
        else:
            _group(flat, of_item, by_item)
    node, factor = np.empty((2, len(flat)), np.int64), np.empty((2, len(flat)), grad.dtype)
    for part in prange(PARTS):
        for row in range(_limit(of_user, part), _limit(of_user, part + 1)):
            first, last = of_user[row] * count, of_user[row + 1] * count
            for entry in range(first, last):
                pair, m = divmod(entry, count)
                node[0, entry], factor[0, entry] = of[by_user[pair], m], grad[by_user[pair], m]
            sum_rows(node[0], factor[0], items, first, last, NEVER, grad_users, row)
    for part in prange(PARTS):
        for row in range(_limit(of_item, part), _limit(of_item, part + 1)):
            for entry in range(of_item[row], of_item[row + 1]):
                node[1, entry], factor[1, entry] = some[by_item[entry] // count], flat_grad[by_item[entry]]
            sum_rows(node[1], factor[1], users, of_item[row], of_item[row + 1], NEVER, grad_items, row)


@njit(cache=True, parallel=True, nogil=True)
def unseen(users: LongArray, share: DoubleArray, indptr: LongArray, seen: LongArray, n_items: int, out: LongArray) -> None:
    """out[p] = the item at ``share``, from 0 to below 1, of the way through those that users[p] has not seen.

    Before the r-th unseen item stand exactly the seen items, ascending, with seen[k] - k <= r.
    """
    for pair in prange(len(users)):
        first, last = indptr[users[pair]], indptr[users[pair] + 1]
        rank = int(share[pair] * (n_items - (last - first)))
        low, high = first, last
        while low < high:
            middle = (low + high) // 2
            if seen[middle] - (middle - first) <= rank:
                low = middle + 1
            else:
                high = middle
        out[pair] = rank + (low - first)
