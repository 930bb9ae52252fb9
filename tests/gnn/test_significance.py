from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnn import significance
from gnn.errors import DataError
from gnn.significance import compare


def test_a_clear_difference_by_hand():
    """Six users who all gain differently: only 2 of the 2**6 assignments of signs are as extreme."""
    gains = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    result = compare(gains, np.zeros(6))
    assert result.difference == pytest.approx(0.35)
    assert result.p_value == pytest.approx(2 / 2**6)
    assert 0.1 < result.low < 0.35 < result.high < 0.6


def test_equal_models_do_not_differ():
    values = np.array([0.0, 0.5, 1.0], dtype=np.float32)
    result = compare(values, values)
    assert (result.difference, result.low, result.high, result.p_value) == (0, 0, 0, 1)


@settings(max_examples=20, deadline=None)
@given(shift=st.floats(-0.5, 0.5), users=st.integers(2, 60), seed=st.integers(0, 9))
def test_swapping_the_models_turns_the_difference_round(shift, users, seed):
    ours, theirs = np.random.default_rng(seed).random((2, users))
    one, other = compare(ours + shift, theirs), compare(theirs, ours + shift)
    assert one.difference == pytest.approx(-other.difference)
    assert one.p_value == pytest.approx(other.p_value)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


def test_the_interval_is_about_as_wide_as_a_normal_one(monkeypatch):
    monkeypatch.setattr(significance, "VALUES_AT_ONCE", 3000)
    ours, theirs = np.random.default_rng(0).normal(0, 1, (2, 400))
    result = compare(ours, theirs)
    half = 1.96 * np.std(ours - theirs, ddof=1) / 20
    assert (result.high - result.low) / 2 == pytest.approx(half, rel=0.1)


@pytest.mark.parametrize(("ours", "theirs"), [([1.0], [1.0, 2.0]), ([], [])])
def test_other_users_are_refused(ours, theirs):
    with pytest.raises(DataError, match="same users"):
        compare(np.array(ours), np.array(theirs))
