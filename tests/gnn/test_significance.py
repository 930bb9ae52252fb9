from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnn import significance
from gnn.errors import DataError
from gnn.significance import Comparison, align, compare, corrected, verdict_sentence, win_loss


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


def test_values_are_brought_into_the_same_order_of_users():
    ours, theirs = align(np.array([5, 2, 9]), np.array([0.5, 0.2, 0.9]), np.array([9, 5, 2]), np.array([1.9, 1.5, 1.2]))
    assert (ours.tolist(), theirs.tolist()) == ([0.2, 0.5, 0.9], [1.2, 1.5, 1.9])
    ids = align(np.array(["b", "a"]), np.array([2, 1]), np.array(["a", "b"]), np.array([10, 20]))
    assert [values.tolist() for values in ids] == [[1, 2], [10, 20]]


@pytest.mark.parametrize("others", [[1, 2, 4], [1, 2], [1, 1, 2, 3]])
def test_models_of_other_users_cannot_be_aligned(others):
    with pytest.raises(DataError, match="not judged on the same users"):
        align(np.array([1, 2, 3]), np.zeros(3), np.array(others), np.zeros(len(others)))


def test_an_interval_is_exact_where_users_differ_by_one_amount():
    """Of 30,000 users all gain 0.25, so every resample does."""
    result = compare(np.full(30_000, 0.75), np.full(30_000, 0.5))
    assert (result.difference, result.low, result.high) == (0.25, 0.25, 0.25)
    assert result.p_value == 0 or result.p_value < 1e-300


@pytest.mark.parametrize(
    ("comparison", "sentence"),
    [
        (Comparison(0.012, 0.009, 0.015, 0.0), "PPO's best beats EASE by 0.012 NDCG@20 (95 % CI 0.009 to 0.015)."),
        (Comparison(-0.012, -0.015, -0.009, 0.0), "PPO's best is behind EASE by 0.012 NDCG@20 (95 % CI 0.009 to 0.015)."),
        (Comparison(0.001, -0.002, 0.003, 0.4), "PPO's best is not separable from EASE (95 % CI -0.002 to 0.003 NDCG@20)."),
        (Comparison(-0.001, -0.003, 0.002, 0.4), "PPO's best is not separable from EASE (95 % CI -0.003 to 0.002 NDCG@20)."),
        (Comparison(0.0, 0.0, 0.0, 1.0), "PPO's best is not separable from EASE (95 % CI 0.000 to 0.000 NDCG@20)."),
        (Comparison(0.0, -0.0001, 0.0001, 1.0), "PPO's best is not separable from EASE (95 % CI 0.000 to 0.000 NDCG@20)."),
        (Comparison(0.0012, 0.00008, 0.0023, 0.03), "PPO's best beats EASE by 0.0012 NDCG@20 (95 % CI 0.0001 to 0.0023)."),
        (
            Comparison(0.012, 0.002, 0.020, 0.068, family=9),
            "PPO's best is not separable from EASE (95 % CI 0.002 to 0.020 NDCG@20; p = 0.068, Holm-corrected for 9 comparisons).",
        ),
        (Comparison(0.012, 0.009, 0.015, 0.0, 0.9), "PPO's best beats EASE by 0.012 NDCG@20 (90 % CI 0.009 to 0.015)."),
    ],
)
def test_the_verdict_says_what_interval_and_test_say(comparison, sentence):
    assert verdict_sentence("PPO's best", "EASE", "NDCG@20", comparison) == sentence


def test_a_name_in_apposition_stands_without_a_comma_before_a_bracket():
    whom = "the best baseline, EASE,"
    ahead, equal = Comparison(0.012, 0.009, 0.015, 0.0), Comparison(0.001, -0.002, 0.003, 0.4)
    assert verdict_sentence("It", whom, "NDCG@20", ahead).startswith("It beats the best baseline, EASE, by 0.012 ")
    assert verdict_sentence("It", whom, "NDCG@20", equal).startswith("It is not separable from the best baseline, EASE (95 % CI ")


def test_p_values_are_corrected_by_holm():
    """By hand: 0.005 * 4, 0.01 * 3 and 0.03 * 2; 0.04 * 1 is below the one before it, whose value it takes."""
    raw = [Comparison(0, 0, 0, p) for p in (0.01, 0.04, 0.03, 0.005)]
    assert [one.p_value for one in corrected(raw)] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert {one.family for one in corrected(raw)} == {4}
    assert [one.p_value for one in corrected([Comparison(0, 0, 0, p) for p in (0.7, 0.6)])] == [1, 1]
    assert corrected(raw[:1]) == raw[:1]
    assert corrected([]) == []


def test_the_verdict_says_that_its_p_value_is_corrected():
    (comparison, _) = corrected([Comparison(0.012, 0.009, 0.015, 0.01), Comparison(0, 0, 0, 0.5)])
    sentence = "It beats EASE by 0.012 NDCG@20 (95 % CI 0.009 to 0.015; p = 0.020, Holm-corrected for 2 comparisons)."
    assert verdict_sentence("It", "EASE", "NDCG@20", comparison) == sentence


def test_wins_losses_and_ties_are_counted_and_the_interval_agrees_with_the_bootstrap() -> None:
    ours, theirs = np.array([0.5, 0.2, 0.2, 0.9]), np.array([0.4, 0.3, 0.2, 0.1])
    found = win_loss(ours, theirs)
    assert (found.wins, found.losses, found.ties, found.users) == (2, 1, 1, 4)
    assert found.difference == pytest.approx(0.2)
    low, high = ttest_interval(ours - theirs)
    assert (found.low, found.high) == pytest.approx((low, high))
    generator = np.random.default_rng(0)
    theirs = generator.random(2000)
    ours = theirs + generator.normal(0.01, 0.1, 2000)
    found, resampled = win_loss(ours, theirs), compare(ours, theirs)
    assert (found.low, found.high) == pytest.approx((resampled.low, resampled.high), abs=5e-4)
    assert found.p_value == resampled.p_value
    same = win_loss(ours, ours)
    assert (same.ties, same.p_value, same.low, same.high) == (2000, 1.0, 0.0, 0.0)


def ttest_interval(difference: np.ndarray) -> tuple[float, float]:
    """By the textbook: mean and 1.96 standard errors to either side."""
    error = float(np.sqrt(np.sum((difference - difference.mean()) ** 2) / (len(difference) - 1) / len(difference)))
    return float(difference.mean() - 1.959963985 * error), float(difference.mean() + 1.959963985 * error)
