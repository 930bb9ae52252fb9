"""Compiled loops that look at every entry of a sparse matrix and every column of its features.

As in :mod:`gnn.kernels`, threads share out parts of rows, every output row is written by one thread, and
column sums are row sums over the reversed entries, so nothing is scattered.
"""

from __future__ import annotations

from numba import njit, prange

from gnn.kernels import FAST, FloatArray, IntArray


@njit(cache=True, parallel=True, nogil=True, fastmath=FAST)
def leaky_scores(
    indptr: IntArray,
    indices: IntArray,
    target: FloatArray,
    source: FloatArray,
    weight: FloatArray,
    slope: float,
    parts: IntArray,
    out: FloatArray,
) -> None:
    """out[e] = <weight, LeakyReLU(target[row] + source[column])>; target and source are [rows, d], weight is [d]."""
    width = target.shape[1]
    leak = out.dtype.type(slope)
    for part in prange(len(parts) - 1):
        for row in range(parts[part], parts[part + 1]):
            for entry in range(indptr[row], indptr[row + 1]):
                column = indices[entry]
                total = out.dtype.type(0.0)
                for k in range(width):
                    z = target[row, k] + source[column, k]
                    total += weight[k] * (z if z > 0 else leak * z)
                out[entry] = total


@njit(cache=True, parallel=True, nogil=True, fastmath=FAST)
def leaky_scores_backward(
    indptr: IntArray,
    indices: IntArray,
    reverse: IntArray,
    target: FloatArray,
    source: FloatArray,
    weight: FloatArray,
    slope: float,
    parts: IntArray,
    grad: FloatArray,
    grad_target: FloatArray,
    grad_source: FloatArray,
    grad_weight: FloatArray,
) -> None:
    """Gradients of target and source, and of weight as one share per part, [parts, d]; all start at zero."""
    width = target.shape[1]
    leak = target.dtype.type(slope)
    for part in prange(len(parts) - 1):
        for row in range(parts[part], parts[part + 1]):
            for entry in range(indptr[row], indptr[row + 1]):
                other = indices[entry]
                coming, going = grad[entry], grad[reverse[entry]]
                for k in range(width):
                    z = target[row, k] + source[other, k]
                    grad_target[row, k] += coming * weight[k] * (1 if z > 0 else leak)
                    grad_weight[part, k] += coming * (z if z > 0 else leak * z)
                    # The reversed entry, in whose row this node is the source.
                    z = target[other, k] + source[row, k]
                    grad_source[row, k] += going * weight[k] * (1 if z > 0 else leak)


@njit(cache=True, parallel=True, nogil=True)
def maximum(
    indptr: IntArray, indices: IntArray, values: FloatArray, x: FloatArray, parts: IntArray, out: FloatArray, chosen: IntArray
) -> None:
    """out[r, k] = highest values[e] * x[indices[e], k] over entries e of row r, and chosen[r, k] the first such e.

    A row without entries has 0 and -1. NaNs stay visible.
    """
    width = x.shape[1]
    for part in prange(len(parts) - 1):
        for row in range(parts[part], parts[part + 1]):
            start, end = indptr[row], indptr[row + 1]
            for k in range(width):
                out[row, k] = 0.0 if start == end else values[start] * x[indices[start], k]
                chosen[row, k] = -1 if start == end else start
            for entry in range(start + 1, end):
                column, value = indices[entry], values[entry]
                for k in range(width):
                    candidate = value * x[column, k]
                    higher = candidate > out[row, k] or candidate != candidate
                    out[row, k] = candidate if higher else out[row, k]
                    chosen[row, k] = entry if higher else chosen[row, k]


@njit(cache=True, parallel=True, nogil=True, fastmath=FAST)
def maximum_backward(
    indptr: IntArray,
    indices: IntArray,
    reverse: IntArray,
    values: FloatArray,
    x: FloatArray,
    parts: IntArray,
    chosen: IntArray,
    grad: FloatArray,
    grad_values: FloatArray,
    grad_x: FloatArray,
) -> None:
    """Gradients of values and x (both start at zero): each maximum passes its own to the entry it came from."""
    width = x.shape[1]
    for part in prange(len(parts) - 1):
        for row in range(parts[part], parts[part + 1]):
            for entry in range(indptr[row], indptr[row + 1]):
                other, back = indices[entry], reverse[entry]
                value = values[back]
                total = grad.dtype.type(0.0)
                for k in range(width):
                    if chosen[row, k] == entry:
                        total += grad[row, k] * x[other, k]
                    if chosen[other, k] == back:
                        grad_x[row, k] += grad[other, k] * value
                grad_values[entry] = total
