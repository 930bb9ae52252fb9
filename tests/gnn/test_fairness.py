from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnn.fairness import active_users, fairness_gap


def test_the_most_active_twentieth_against_the_others_by_hand():
    """Of 40 users two are active, here the codes 7 and 30: they have 0.9 and 0.7, the others 0.2."""
    users = np.arange(40)
    activity = np.full(40, 5)
    activity[[7, 30]] = 50
    values = np.full(40, 0.2, dtype=np.float32)
    values[[7, 30]] = 0.9, 0.7
    assert np.flatnonzero(active_users(users, activity)).tolist() == [7, 30]
    assert fairness_gap(values, users, activity) == pytest.approx(0.8 - 0.2)


def test_users_are_looked_up_by_their_code():
    """Users 2 and 5 are evaluated; user 5 has more interactions."""
    activity = np.array([9, 9, 1, 9, 9, 3])
    assert active_users(np.array([2, 5]), activity).tolist() == [False, True]
    assert fairness_gap(np.array([1.0, 0.25]), np.array([2, 5]), activity) == 0.75


def test_of_equally_active_users_the_first_counts_as_active():
    assert active_users(np.array([3, 1, 2]), np.full(4, 7)).tolist() == [False, True, False]


def test_one_user_alone_is_treated_as_everybody():
    assert fairness_gap(np.array([0.5]), np.array([0]), np.array([4])) == 0


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1)), min_size=2, max_size=60))
def test_the_gap_lies_between_none_and_the_range(pairs):
    activity, values = np.array([a for a, _ in pairs]), np.array([v for _, v in pairs])
    gap = fairness_gap(values, np.arange(len(pairs)), activity)
    assert 0 <= gap <= np.ptp(values) + 1e-12
    assert fairness_gap(values + 1, np.arange(len(pairs)), activity) == pytest.approx(gap)
