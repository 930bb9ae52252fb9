"""A line small enough for a table: the server writes its points, so that a page needs no script for it."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, HEIGHT, MARGIN = 140, 32, 2
"""Of the drawing and around the line, in its own units."""


def step_points(values: Sequence[tuple[int, float]], *, until: int) -> str:
    """The ``points`` of a polyline that keeps each value until the next, and the last one until ``until``.

    Args:
        values: position (from 1, ascending) and value of each change; at least one.
        until: the position at the right edge, at least the last of ``values``.
    """
    low, high = min(value for _, value in values), max(value for _, value in values)
    first = values[0][0]
    points = []
    before: float | None = None
    for position, value in [*values, (until, values[-1][1])]:
        x = MARGIN + (WIDTH - 2 * MARGIN) * ((position - first) / (until - first) if until > first else 1.0)
        y = HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * ((value - low) / (high - low) if high > low else 0.5)
        if before is not None and before != y:
            points.append((x, before))
        points.append((x, y))
        before = y
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
