from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnn.pareto import pareto_front


def brute_force(points: np.ndarray, directions: list[int]) -> list[int]:
    better = points * np.array(directions)
    return [
        i
        for i, point in enumerate(better)
        if not any((other >= point).all() and (other > point).any() for other in better)
    ]  # fmt: skip


@settings(max_examples=300)
@given(st.data())
def test_the_front_is_what_nothing_dominates(data):
    directions = data.draw(st.lists(st.sampled_from([1, -1]), min_size=1, max_size=4))
    # Few values, so that ties and equal points are common.
    row = st.lists(st.integers(0, 4).map(float), min_size=len(directions), max_size=len(directions))
    points = np.array(data.draw(st.lists(row, min_size=1, max_size=40)))
    assert pareto_front(points, directions) == brute_force(points, directions)


def test_quality_against_size_by_hand():
    """The second costs more than the first for less; the last equals the third."""
    points = np.array([[0.30, 100], [0.29, 200], [0.35, 300], [0.40, 900], [0.35, 300]])
    assert pareto_front(points, [1, -1]) == [0, 2, 3, 4]


def test_no_points_have_no_front():
    assert pareto_front(np.empty((0, 2)), [1, 1]) == []


@pytest.mark.parametrize(
    ("points", "directions", "message"),
    [([[1.0, np.nan]], [1, 1], "finite"), ([[1.0, 2.0]], [1], "do not fit"), ([1.0], [1], "do not fit")],
)
def test_what_cannot_be_compared_is_refused(points, directions, message):
    with pytest.raises(ValueError, match=message):
        pareto_front(np.array(points), directions)
