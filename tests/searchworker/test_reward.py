from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnn.metrics import TestScores, ValidationScores
from gnn.plan import SearchPlan
from searchworker.reward import Measures, failure_reward, plan_reward, validation_measures

VALUES = {"ndcg@20": 0.25, "recall@20": 0.3}
NOBODY = np.zeros(0, dtype=np.int64)


@pytest.mark.parametrize("failure", ["out_of_memory", "diverged"])
def test_a_failure_is_one_quartile_spread_below_the_lowest(failure: str) -> None:
    # Quartiles of 0.1 .. 0.5 are 0.2 and 0.4.
    assert failure_reward(failure, [0.3, 0.1, 0.5, 0.2, 0.4]) == pytest.approx(0.1 - 0.2)


def test_a_failure_keeps_its_rank_when_the_scale_and_the_sign_change() -> None:
    completed = [0.3, 0.1, 0.5, 0.2, 0.4]
    base = failure_reward("diverged", completed)
    assert base is not None
    assert failure_reward("diverged", [100 * reward - 70 for reward in completed]) == pytest.approx(100 * base - 70)


def test_one_wild_outlier_does_not_stretch_the_spread() -> None:
    assert failure_reward("diverged", [0.20, 0.21, 0.22, 0.23, 9.0]) == pytest.approx(0.20 - 0.02)


@pytest.mark.parametrize("completed", [[0.2], [0.2, 0.2], [0.2] * 9, [-0.2], [0.0, 0.0]])
def test_a_failure_is_worst_even_where_there_is_no_spread(completed: list[float]) -> None:
    reward = failure_reward("out_of_memory", completed)
    assert reward is not None
    assert reward < min(completed)


def test_nothing_is_told_of_a_failure_before_anything_completed() -> None:
    assert failure_reward("diverged", []) is None


@pytest.mark.parametrize("failure", ["", "lost", "error"])
def test_other_failures_have_no_reward(failure: str) -> None:
    with pytest.raises(ValueError, match="has no reward"):
        failure_reward(failure, [0.2])


def measures(**costs: float) -> Measures:
    """Of 40 users the two most active have an NDCG of 0.6, the others of 0.2."""
    activity = np.ones(40, dtype=np.int64)
    activity[:2] = 9
    per_user = {"ndcg@20": np.where(activity == 9, 0.6, 0.2), "recall@20": np.full(40, 0.3)}
    scores = ValidationScores({"ndcg@20": 0.22, "recall@20": 0.3, "coverage@20": 0.5, "gini@20": 0.9}, per_user, np.arange(40))
    return Measures(validation_measures(scores, "ndcg@20", activity) | {"parameters": 1000.0, "train_seconds": 10.0} | costs)


def plan(*terms: tuple[str, float], **constraints: float) -> SearchPlan:
    return SearchPlan.from_json({"objectives": [{"measure": m, "weight": w} for m, w in terms], "constraints": constraints})


def test_measures_are_metrics_costs_and_the_gap_of_the_objectives_metric() -> None:
    values = dict(measures(latency_ms=2.0).values)
    assert values.pop("fairness_gap@20") == pytest.approx(0.4)
    assert values == {
        "ndcg@20": 0.22, "recall@20": 0.3, "coverage@20": 0.5, "gini@20": 0.9,
        "parameters": 1000, "train_seconds": 10, "latency_ms": 2,
    }  # fmt: skip


def test_test_scores_have_no_measures() -> None:
    with pytest.raises(TypeError, match="TestScores"):
        validation_measures(TestScores(VALUES, {}, NOBODY), "ndcg@20", NOBODY)  # type: ignore[arg-type]


def test_a_plan_without_objectives_is_rewarded_for_the_protocols() -> None:
    assert plan_reward(measures(), plan(), "recall@20") == 0.3


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ([("ndcg@20", 2.0)], 2 * 0.22),
        ([("ndcg@20", 1.0), ("coverage@20", 0.5)], 0.22 + 0.5 * 0.5),
        ([("ndcg@20", 1.0), ("parameters", 0.01)], 0.22 - 0.01 * 3),
        ([("ndcg@20", 1.0), ("train_seconds", 0.1)], 0.22 - 0.1),
        ([("ndcg@20", 1.0), ("fairness_gap@20", 0.5)], 0.22 - 0.5 * 0.4),
        ([("recall@20", 1.0), ("gini@20", 0.1)], 0.3 - 0.1 * 0.9),
        ([("ndcg@20", 1.0), ("latency_ms", 0.2)], 0.22 + 0.2 * 2),
    ],
)
def test_objectives_add_up_by_hand(terms: list[tuple[str, float]], expected: float) -> None:
    assert plan_reward(measures(latency_ms=0.01), plan(*terms), "ndcg@20") == pytest.approx(expected)


def test_ten_times_the_cost_costs_the_weight() -> None:
    wanted = plan(("ndcg@20", 1.0), ("latency_ms", 0.03))
    cheap, dear = (plan_reward(measures(latency_ms=ms), wanted, "ndcg@20") for ms in (2.0, 20.0))
    assert cheap - dear == pytest.approx(0.03)


def test_no_time_at_all_still_has_a_reward() -> None:
    assert plan_reward(measures(latency_ms=0.0), plan(("latency_ms", 1.0)), "ndcg@20") == pytest.approx(3)


def test_exceeding_a_limit_costs_the_excess_by_hand() -> None:
    limited = plan(max_latency_ms=5.0, max_train_seconds=8.0)
    assert plan_reward(measures(latency_ms=5.0, train_seconds=8.0), limited, "ndcg@20") == 0.22
    assert plan_reward(measures(latency_ms=10.0, train_seconds=8.0), limited, "ndcg@20") == pytest.approx(0.22 - 0.5)
    assert plan_reward(measures(latency_ms=10.0, train_seconds=10.0), limited, "ndcg@20") == pytest.approx(0.22 - 0.5 - 0.2)


@given(over=st.floats(1.001, 1e6), weight=st.floats(1e-3, 1e3))
def test_at_equal_quality_what_meets_the_limits_is_ahead_in_proportion_to_the_weights(over: float, weight: float) -> None:
    limited = plan(("ndcg@20", weight), max_latency_ms=5.0)
    inside, outside = (plan_reward(measures(latency_ms=ms), limited, "ndcg@20") for ms in (5.0, 5.0 * over))
    assert 0 < inside - outside < weight * 1.0001
    further = plan_reward(measures(latency_ms=6.0 * over), limited, "ndcg@20")
    assert further < outside


def test_what_was_not_measured_cannot_be_rewarded() -> None:
    with pytest.raises(ValueError, match="'latency_ms' was not measured"):
        plan_reward(measures(), plan(("latency_ms", 1.0)), "ndcg@20")
    with pytest.raises(ValueError, match="'latency_ms' was not measured"):
        plan_reward(measures(), plan(max_latency_ms=1.0), "ndcg@20")
