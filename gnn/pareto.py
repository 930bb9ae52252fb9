"""The points that no other point beats in everything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]


def pareto_front(points: Floats, directions: Sequence[int]) -> list[int]:
    """Indices, ascending, of the points that none dominates; points that are equal are all kept.

    A point dominates another if it is at least as good in every objective and better in one. With one or two
    objectives this takes n log n steps, with more at most n times the size of the front.

    Args:
        points: [n, objectives], finite.
        directions: 1 for each objective of which more is better, -1 where less is.

    Raises:
        ValueError: a point is not finite, or the shapes do not fit.
    """
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != len(directions) or not directions:
        raise ValueError(f"{len(directions)} directions do not fit points of shape {points.shape}.")
    if not np.isfinite(points).all():
        raise ValueError("Every point must be finite; leave out what was not measured.")
    distinct, place = np.unique(-points * np.sign(directions), axis=0, return_inverse=True)
    # Now less is better, and rows are sorted by their first objective, then the second: whatever dominates comes before.
    if len(directions) <= 2:
        rest = distinct[:, -1]
        kept = rest < np.concatenate([[np.inf], np.minimum.accumulate(rest)])[:-1]
    else:
        kept = np.zeros(len(distinct), dtype=bool)
        for row, point in enumerate(distinct):
            kept[row] = not (distinct[:row][kept[:row]] <= point).all(axis=1).any()
    return [int(index) for index in np.flatnonzero(kept[place.ravel()])]
