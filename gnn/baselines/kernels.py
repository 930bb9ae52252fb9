"""Compiled loops of the baselines."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from gnn.kernels import FAST, FloatArray, IntArray, LongArray

_TRIES = 20
"""Draws after which a user counts as having everything."""


@njit(cache=True, parallel=True, nogil=True, fastmath=FAST)
def least_squares_rows(
    indptr: LongArray,
    indices: LongArray,
    other: FloatArray,
    gram: FloatArray,
    ridge: FloatArray,
    confidence: float,
    parts: IntArray,
    out: FloatArray,
) -> None:
    """out[r] = the x that solves (gram + ridge[r] I + (c - 1) Y'Y) x = c Y'1, where Y holds the rows of ``other`` at the entries of row r.

    gram is symmetric, [d, d], and positive definite with the ridge; c is ``confidence``, at least 1. Solved by Cholesky decomposition.
    """
    width = other.shape[1]
    weight, extra = np.float32(confidence), np.float32(confidence - 1)
    for part in prange(len(parts) - 1):
        system = np.empty((width, width), dtype=np.float32)
        for row in range(parts[part], parts[part + 1]):
            x = out[row]
            system[:] = gram
            for i in range(width):
                system[i, i] += ridge[row]
            x[:] = 0.0
            entry, end = indptr[row], indptr[row + 1]
            # Four at a time, so that the system is loaded and stored a quarter as often.
            while entry + 4 <= end:
                a, b, c, d = other[indices[entry]], other[indices[entry + 1]], other[indices[entry + 2]], other[indices[entry + 3]]
                for i in range(width):
                    x[i] += weight * ((a[i] + b[i]) + (c[i] + d[i]))
                    at, bt, ct, dt = extra * a[i], extra * b[i], extra * c[i], extra * d[i]
                    for j in range(i + 1):
                        system[i, j] += (at * a[j] + bt * b[j]) + (ct * c[j] + dt * d[j])
                entry += 4
            while entry < end:
                a = other[indices[entry]]
                for i in range(width):
                    x[i] += weight * a[i]
                    at = extra * a[i]
                    for j in range(i + 1):
                        system[i, j] += at * a[j]
                entry += 1
            for i in range(width):
                for j in range(i + 1):
                    total = system[i, j]
                    for k in range(j):
                        total -= system[i, k] * system[j, k]
                    system[i, j] = np.sqrt(total) if i == j else total / system[j, j]
                total = x[i]
                for k in range(i):
                    total -= system[i, k] * x[k]
                x[i] = total / system[i, i]
            for i in range(width - 1, -1, -1):
                x[i] /= system[i, i]
                for k in range(i):
                    x[k] -= system[i, k] * x[i]


@njit(cache=True, nogil=True, fastmath=FAST)
def bpr_descent(
    user: LongArray,
    item: LongArray,
    seen_indptr: LongArray,
    users: FloatArray,
    items: FloatArray,
    bias: FloatArray,
    epochs: int,
    rate: float,
    decay: float,
    seed: int,
) -> None:
    """Stochastic gradient descent on Bayesian personalised ranking, in place, one interaction at a time.

    An epoch draws as many interactions as there are, each with an item its user does not have.

    Args:
        user, item: the interactions, ordered by user and within a user by item.
        seen_indptr: limits of each user's interactions.
        users, items, bias: what is learned, [n_users, d], [n_items, d] and [n_items].
        rate, decay: step size, and how strongly a step pulls what it uses towards zero.
    """
    np.random.seed(seed)
    n, n_items = len(user), len(items)
    for _ in range(epochs * n):
        entry = np.random.randint(n)
        u, i = user[entry], item[entry]
        seen = item[seen_indptr[u] : seen_indptr[u + 1]]
        j = i
        for _ in range(_TRIES):
            drawn = np.random.randint(n_items)
            place = np.searchsorted(seen, drawn)
            if place == len(seen) or seen[place] != drawn:
                j = drawn
                break
        if j == i:
            continue
        difference = bias[i] - bias[j]
        for k in range(users.shape[1]):
            difference += users[u, k] * (items[i, k] - items[j, k])
        step = np.float32(rate / (1.0 + np.exp(difference)))
        shrink = np.float32(rate * decay)
        bias[i] += step - shrink * bias[i]
        bias[j] -= step + shrink * bias[j]
        for k in range(users.shape[1]):
            x, a, b = users[u, k], items[i, k], items[j, k]
            users[u, k] += step * (a - b) - shrink * x
            items[i, k] += step * x - shrink * a
            items[j, k] -= step * x + shrink * b


@njit(cache=True, parallel=True, nogil=True, fastmath=FAST)
def linear_filter(
    indptr: IntArray, indices: IntArray, values: FloatArray, rows: LongArray, n_users: int, parts: IntArray, out: FloatArray
) -> None:
    """Add r N'N to each row of out, [rows, n_items], where r has ones at the items of the user in ``rows``.

    N is the normalised matrix of interactions; indptr, indices and values are the adjacency of the bipartite
    graph it makes, in which node n_users + i is item i. Threads share out the rows by ``parts``.
    """
    for part in prange(len(parts) - 1):
        reached = np.zeros(n_users, dtype=np.float32)
        for row in range(parts[part], parts[part + 1]):
            user = rows[row]
            for entry in range(indptr[user], indptr[user + 1]):
                item = indices[entry]
                for other in range(indptr[item], indptr[item + 1]):
                    reached[indices[other]] += values[other]
            for other in range(n_users):
                weight = reached[other]
                if weight > 0:
                    reached[other] = 0.0
                    for entry in range(indptr[other], indptr[other + 1]):
                        out[row, indices[entry] - n_users] += weight * values[entry]


@njit(cache=True, parallel=True, nogil=True, fastmath=FAST)
def non_negative_regressions(
    item_indptr: IntArray,
    users_of: IntArray,
    user_indptr: IntArray,
    items_of: IntArray,
    columns: LongArray,
    l1: float,
    l2: float,
    tolerance: float,
    sweeps: int,
    parts: IntArray,
    out: FloatArray,
) -> None:
    """out[c] = the w >= 0 with w[j] = 0 that minimises |a_j - A w|^2 / 2 + l2 |w|^2 / 2 + l1 |w|_1, where j is columns[c].

    A is a matrix of zeros and ones, a_j its column. Coordinate descent on the residual (Friedman et al. 2010):
    sweeps over what is not zero until no weight moves by more than ``tolerance``, then over everything, until
    that moves nothing either. Threads share out the columns by ``parts``.

    Args:
        item_indptr, users_of: the columns of A.
        user_indptr, items_of: the rows of A.
        sweeps: at most so many of all kinds for a column.
        out: zeros, [columns, n_items].
    """
    n_users, n_items = len(user_indptr) - 1, len(item_indptr) - 1
    for part in prange(len(parts) - 1):
        residual = np.zeros(n_users, dtype=np.float32)
        together = np.zeros(n_items, dtype=np.int32)
        found = np.empty(n_items, dtype=np.int32)
        for c in range(parts[part], parts[part + 1]):
            j, w = columns[c], out[c]
            n_found = 0
            for entry in range(item_indptr[j], item_indptr[j + 1]):
                user = users_of[entry]
                residual[user] = 1.0
                for place in range(user_indptr[user], user_indptr[user + 1]):
                    item = items_of[place]
                    if together[item] == 0:
                        found[n_found] = item
                        n_found += 1
                    together[item] += 1
            # Other weights only lower the gradient a_i'(a_j - A w) - l1, so below zero it stays there.
            n_kept = 0
            for place in range(n_found):
                item = found[place]
                if item != j and together[item] > l1:
                    found[n_kept] = item
                    n_kept += 1
                together[item] = 0
            everything = True
            for _ in range(sweeps):
                largest = np.float32(0.0)
                for place in range(n_kept):
                    item = found[place]
                    before = w[item]
                    if before == 0 and not everything:
                        continue
                    start, end = item_indptr[item], item_indptr[item + 1]
                    gradient = np.float32((end - start) * before - l1)
                    for entry in range(start, end):
                        gradient += residual[users_of[entry]]
                    after = max(gradient, np.float32(0.0)) / np.float32(end - start + l2)
                    if after != before:
                        w[item] = after
                        change = before - after
                        for entry in range(start, end):
                            residual[users_of[entry]] += change
                        largest = max(largest, abs(change))
                if largest <= tolerance:
                    if everything:
                        break
                    everything = True
                else:
                    everything = False
            for entry in range(item_indptr[j], item_indptr[j + 1]):
                residual[users_of[entry]] = 0.0
            for place in range(n_kept):
                for entry in range(item_indptr[found[place]], item_indptr[found[place] + 1]):
                    residual[users_of[entry]] = 0.0
