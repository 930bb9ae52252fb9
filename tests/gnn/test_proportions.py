"""Intervals of shares against scipy and against the tables of the papers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare

from gnn.proportions import Difference, Proportion, sample_ratio_p_value


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_intervals_are_those_of_scipy(counts: tuple[int, int], confidence: float) -> None:
    hits, n = counts
    expected = binomtest(hits, n).proportion_ci(confidence, method="wilson")
    assert Proportion(hits, n, confidence).interval == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_wilson_interval_by_hand() -> None:
    # z = 1.959964, z^2 = 3.841459: (0.2 + 0.0384146) / 1.0768292 -+ 1.959964 / 1.0768292 * sqrt(0.0032 + 0.00038415) for 10 of 50
    low, high = Proportion(10, 50).interval
    assert (low, high) == pytest.approx((0.1124375, 0.3303711), abs=1e-6)
    assert Proportion(0, 0).interval == (0.0, 1.0)
    assert Proportion(0, 0).value is None
    with pytest.raises(ValueError, match="3 of 2"):
        Proportion(3, 2)


@pytest.mark.parametrize(
    ("first", "second", "limits"),
    # Newcombe, "Interval estimation for the difference between independent proportions" (1998), table II, method 10.
    [((56, 70), (48, 80), (0.0524, 0.3339)), ((9, 10), (3, 10), (0.1705, 0.8090)), ((10, 10), (0, 20), (0.6791, 1.0))],
)
def test_newcombes_own_examples(first: tuple[int, int], second: tuple[int, int], limits: tuple[float, float]) -> None:
    found = Difference.of(Proportion(*first), Proportion(*second))
    assert found is not None
    assert (found.low, found.high) == pytest.approx(limits, abs=5e-5)
    assert found.separable
    turned = Difference.of(Proportion(*second), Proportion(*first))
    assert turned is not None
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))
    assert turned.separable


def test_what_is_not_separable() -> None:
    close = Difference.of(Proportion(30, 100), Proportion(28, 100))
    assert close is not None
    assert not close.separable
    assert Difference.of(Proportion(1, 2), Proportion(0, 0)) is None


@pytest.mark.parametrize(("first", "second", "share"), [(50, 50, 0.5), (520, 480, 0.5), (130, 870, 0.1)])
def test_the_division_is_tested_as_scipy_does(first: int, second: int, share: float) -> None:
    n = first + second
    expected = chisquare([first, second], [n * share, n * (1 - share)]).pvalue
    assert sample_ratio_p_value(first, second, share=share) == pytest.approx(expected)
    assert sample_ratio_p_value(0, 0, share=share) == 1.0
