"""Compiled loops of the baselines."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from gnn.kernels import FloatArray, IntArray, LongArray

_TRIES = 20
"""Draws after which a user counts as having everything."""


@njit(cache=True, parallel=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def least_squares_rows(
    indptr: LongArray, indices: LongArray, other: FloatArray, gram: FloatArray, confidence: float, parts: IntArray, out: FloatArray
) -> None:
    """out[r] = the x that solves (gram + (c - 1) Y'Y) x = c Y'1, where Y holds the rows of ``other`` at the entries of row r.

    gram is symmetric positive definite, [d, d]; c is ``confidence``, at least 1. Solved by Cholesky decomposition.
    """
    width = other.shape[1]
    weight, extra = np.float32(confidence), np.float32(confidence - 1)
    for part in prange(len(parts) - 1):
        system = np.empty((width, width), dtype=np.float32)
        for row in range(parts[part], parts[part + 1]):
            x = out[row]
            system[:] = gram
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


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
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


@njit(cache=True, parallel=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
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
