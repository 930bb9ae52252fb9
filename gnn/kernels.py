"""Compiled loops over the rows of a sparse matrix, in compressed sparse row (CSR) form.

Rows are grouped into parts of about equal work (:func:`row_parts`) that threads share out. Every row is
summed by one thread in a fixed order, so a result does not depend on the number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from gnn.vectors import AHEAD, FEW, LINE, STRIP, prefetch, sum_few, sum_line, sum_strip

IntArray = np.ndarray[Any, np.dtype[np.int32]]
LongArray = np.ndarray[Any, np.dtype[np.int64]]
FloatArray = np.ndarray[Any, np.dtype[np.float32]]
DoubleArray = np.ndarray[Any, np.dtype[np.float64]]

PARTS = 64
"""Parts the rows are cut into: enough to balance many threads, few enough to cost nothing."""

_FETCHED = 32
"""Columns from which on asking ahead costs less than it saves."""

NEVER = -1
"""Entry up to which to ask ahead where that does not pay."""

NEAR = 2**23
"""Bytes of rows that stay near the processor by themselves, where asking ahead costs a tenth instead."""

_STRIDE = 64
"""Columns :func:`top_items` rules out at once."""

FAST = {"reassoc", "contract", "nsz"}
"""Sums may be reordered and fused, but infinities and NaNs keep their meaning: divergence must stay visible."""


def row_parts(indptr: IntArray) -> IntArray:
    """Cut rows into at most PARTS runs with about equally many non-zeros; returns the run limits, [parts + 1]."""
    # A row costs its non-zeros plus the writing of its output, which is worth about four more.
    work = indptr.astype(np.int64) + 4 * np.arange(len(indptr), dtype=np.int64)
    inner = np.searchsorted(work, np.linspace(0, work[-1], PARTS + 1)[1:-1])
    return np.unique(np.concatenate([[0], inner, [len(indptr) - 1]])).astype(np.int32)


@njit(cache=True, nogil=True, fastmath=FAST)
def sum_rows(
    indices: IntArray | LongArray, values: FloatArray, x: FloatArray, first: int, last: int, ahead: int, out: FloatArray, row: int
) -> None:
    """out[row] = sum over first <= e < last of values[e] * x[indices[e]]; x and out are [rows, d].

    Up to entry ``ahead`` the rows of later entries are asked for, or not at all (NEVER).
    """
    width = x.shape[1]
    done = 0
    while width - done >= STRIP:
        sum_strip(indices, values, x, first, last, done, ahead, out, row)
        done += STRIP
    while width - done >= LINE:
        sum_line(indices, values, x, first, last, done, ahead, out, row)
        done += LINE
    while width - done >= FEW:
        sum_few(indices, values, x, first, last, done, ahead, out, row)
        done += FEW
    for k in range(done, width):
        total = out.dtype.type(0.0)
        for entry in range(first, last):
            total += values[entry] * x[indices[entry], k]
        out[row, k] = total


@njit(cache=True, parallel=True, nogil=True, fastmath=FAST)
def spmm(indptr: IntArray, indices: IntArray, values: FloatArray, x: FloatArray, parts: IntArray, out: FloatArray) -> None:
    """out[r] = sum over entries e of row r of values[e] * x[indices[e]]; x and out are [rows, d]."""
    ahead = len(indices) - AHEAD - 1 if x.nbytes > NEAR else NEVER
    for part in prange(len(parts) - 1):
        for row in range(parts[part], parts[part + 1]):
            sum_rows(indices, values, x, indptr[row], indptr[row + 1], ahead, out, row)


@njit(cache=True, parallel=True, nogil=True, fastmath=FAST)
def sddmm(indptr: IntArray, indices: IntArray, left: FloatArray, right: FloatArray, parts: IntArray, out: FloatArray) -> None:
    """out[e] = <left[row of e], right[indices[e]]>: the dense product at the places of the matrix's entries."""
    width = left.shape[1]
    ahead = len(indices) - AHEAD - 1 if width >= _FETCHED and right.nbytes > NEAR else NEVER
    for part in prange(len(parts) - 1):
        for row in range(parts[part], parts[part + 1]):
            for entry in range(indptr[row], indptr[row + 1]):
                column = indices[entry]
                if entry <= ahead:
                    for k in range(0, width, LINE):
                        prefetch(right, indices[entry + AHEAD], k)
                total = out.dtype.type(0.0)
                for k in range(width):
                    total += left[row, k] * right[column, k]
                out[entry] = total


@njit(cache=True, parallel=True, nogil=True, fastmath=FAST)
def edge_softmax(
    indptr: IntArray,
    indices: IntArray,
    target: FloatArray,
    source: FloatArray,
    bias: FloatArray,
    slope: float,
    parts: IntArray,
    out: FloatArray,
) -> None:
    """out[e] = softmax over the entries of a row of LeakyReLU(target[row] + source[column] + bias[e])."""
    for part in prange(len(parts) - 1):
        for row in range(parts[part], parts[part + 1]):
            start, end = indptr[row], indptr[row + 1]
            highest = -np.inf
            for entry in range(start, end):
                z = target[row] + source[indices[entry]] + bias[entry]
                if z < 0:
                    z *= slope
                out[entry] = z
                highest = max(highest, z)
            total = 0.0
            for entry in range(start, end):
                value = np.exp(out[entry] - highest)
                out[entry] = value
                total += value
            for entry in range(start, end):
                out[entry] /= total


@njit(cache=True, parallel=True, nogil=True, fastmath=FAST)
def edge_softmax_backward(
    indptr: IntArray,
    indices: IntArray,
    target: FloatArray,
    source: FloatArray,
    bias: FloatArray,
    slope: float,
    parts: IntArray,
    alpha: FloatArray,
    grad: FloatArray,
    grad_z: FloatArray,
    grad_target: FloatArray,
) -> None:
    """From the gradient of alpha: grad_z[e], before LeakyReLU, and grad_target[row], its sum over the row."""
    for part in prange(len(parts) - 1):
        for row in range(parts[part], parts[part + 1]):
            start, end = indptr[row], indptr[row + 1]
            mean = 0.0
            for entry in range(start, end):
                mean += alpha[entry] * grad[entry]
            total = 0.0
            for entry in range(start, end):
                value = alpha[entry] * (grad[entry] - mean)
                if target[row] + source[indices[entry]] + bias[entry] < 0:
                    value *= slope
                grad_z[entry] = value
                total += value
            grad_target[row] = total


@njit(cache=True, parallel=True, nogil=True, fastmath=FAST)
def row_sums(indptr: IntArray, order: IntArray, values: FloatArray, parts: IntArray, out: FloatArray) -> None:
    """out[r] = sum over entries e of row r of values[order[e]]."""
    for part in prange(len(parts) - 1):
        for row in range(parts[part], parts[part + 1]):
            total = 0.0
            for entry in range(indptr[row], indptr[row + 1]):
                total += values[order[entry]]
            out[row] = total


@njit(cache=True, parallel=True, nogil=True)
def top_items(
    scores: FloatArray, users: LongArray, seen_indptr: LongArray, seen_items: LongArray, best: FloatArray, items: IntArray
) -> None:
    """For each row of scores, its highest unseen columns, best first; equal values keep column order.

    Row r belongs to ``users[r]``, whose seen columns are overwritten with -inf. best and items are
    [rows, k]; places that no finite score fills get item -1.
    """
    columns, k = scores.shape[1], items.shape[1]
    for row in prange(scores.shape[0]):
        for place in range(seen_indptr[users[row]], seen_indptr[users[row] + 1]):
            scores[row, seen_items[place]] = -np.inf
        held = 0
        lowest = -np.inf
        for start in range(0, columns, _STRIDE):
            stop = min(start + _STRIDE, columns)
            # Once the list is full, most strides hold nothing for it; this test is the vectorised common case.
            promising = 0
            for column in range(start, stop):
                promising |= scores[row, column] > lowest
            if not promising:
                continue
            for column in range(start, stop):
                value = scores[row, column]
                if not value > lowest:
                    continue
                place = min(held, k - 1)
                while place > 0 and best[row, place - 1] < value:
                    best[row, place] = best[row, place - 1]
                    items[row, place] = items[row, place - 1]
                    place -= 1
                best[row, place] = value
                items[row, place] = column
                held = min(held + 1, k)
                if held == k:
                    lowest = best[row, k - 1]
        for place in range(held, k):
            items[row, place] = -1


@njit(cache=True, parallel=True, nogil=True)
def places_before(
    scores: FloatArray, users: LongArray, seen_indptr: LongArray, indptr: LongArray, wanted: LongArray, before: DoubleArray
) -> None:
    """before[r] = over the wanted columns of row r, the sum of how many unseen columns score higher, and half of those that score the same.

    A column counts among those that score the same as itself. Row r belongs to ``users[r]``, whose seen columns are -inf already;
    its wanted columns are ``wanted[indptr[r]:indptr[r + 1]]``. An unseen column without a finite score comes after all with one.
    """
    columns = scores.shape[1]
    for row in prange(scores.shape[0]):
        unseen = columns - (seen_indptr[users[row] + 1] - seen_indptr[users[row]])
        total = 0.0
        for place in range(indptr[row], indptr[row + 1]):
            score = scores[row, wanted[place]]
            higher, same = 0, 0
            if score > -np.inf:
                for column in range(columns):
                    higher += scores[row, column] > score
                    same += scores[row, column] == score
            else:
                for column in range(columns):
                    higher += scores[row, column] > -np.inf
                same = unseen - higher
            total += higher + 0.5 * same
        before[row] = total
