from __future__ import annotations

import numpy as np
import pytest

from gnn.metrics import TestScores, ValidationScores
from searchworker.reward import failure_reward, reward_of

VALUES = {"ndcg@20": 0.25, "recall@20": 0.3}
NOBODY = np.zeros(0, dtype=np.int64)


def test_the_reward_is_the_objective_on_validation() -> None:
    scores = ValidationScores(values=VALUES, per_user={}, users=NOBODY)
    assert reward_of(scores, "recall@20") == 0.3
    with pytest.raises(ValueError, match=r"no 'map@5', only ndcg@20, recall@20"):
        reward_of(scores, "map@5")


def test_test_scores_are_refused_at_run_time() -> None:
    with pytest.raises(TypeError, match="TestScores"):
        reward_of(TestScores(values=VALUES, per_user={}, users=NOBODY), "ndcg@20")  # type: ignore[arg-type]


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
