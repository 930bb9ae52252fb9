"""Rewards of rungs on one scale, against values computed by hand or in numpy."""

from __future__ import annotations

import json

import numpy as np
import pytest

from searchworker.standing import REWARD_BOUND, RunningMoments, Standings


def test_running_moments_are_those_of_all_rewards() -> None:
    rewards = np.random.default_rng(0).normal(0.2, 0.03, size=50)
    moments = RunningMoments()
    assert moments.std == 0
    for reward in rewards:
        moments.update(float(reward))
    assert moments.mean == pytest.approx(rewards.mean())
    assert moments.std == pytest.approx(rewards.std())
    assert RunningMoments.from_json(json.loads(json.dumps(moments.to_json()))).std == moments.std


def of(standings: Standings, *told: tuple[float, int]) -> list[float]:
    return standings.of(np.array([reward for reward, _ in told]), np.array([rung for _, rung in told])).tolist()


def climbed() -> Standings:
    """Rewards 1 to 5 at rung 0, of which 4 and 5 go on to 0.9 and 0.7."""
    standings = Standings()
    for reward in (1.0, 2.0, 3.0, 4.0, 5.0):
        standings.update(0, reward, None)
    standings.update(1, 0.9, 4.0)
    standings.update(1, 0.7, 5.0)
    return standings


def test_a_reward_is_compared_with_its_own_rung_only() -> None:
    deviation = np.std([1, 2, 3, 4, 5])
    assert of(climbed(), (3.0, 0), (5.0, 0), (1.0, 0)) == pytest.approx([0, 2 / deviation, -2 / deviation])


def test_those_promoted_keep_the_mean_and_the_spread_they_had_a_rung_below() -> None:
    deviation = np.std([1, 2, 3, 4, 5])
    best, worst = of(climbed(), (0.9, 1), (0.7, 1))
    assert best == pytest.approx(2 / deviation)
    assert worst == pytest.approx(1 / deviation)
    assert worst > of(climbed(), (3.0, 0))[0]  # the worse of the two is not punished for having been selected


def test_the_first_to_reach_a_rung_stands_as_it_did() -> None:
    standings = Standings()
    for reward in (1.0, 2.0, 3.0):
        standings.update(0, reward, None)
    before = of(standings, (3.0, 0))
    standings.update(1, 17.0, 3.0)
    assert of(standings, (17.0, 1)) == pytest.approx(before)


def test_one_outlier_counts_at_most_the_bound_and_json_keeps_everything() -> None:
    standings = climbed()
    assert of(standings, (1e9, 0), (-1e9, 0)) == [REWARD_BOUND, -REWARD_BOUND]
    restored = Standings.from_json(json.loads(json.dumps(standings.to_json())))
    for told in ((2.0, 0), (0.8, 1)):
        assert of(restored, told) == of(standings, told)
    restored.update(0, 9.0, None)
    assert of(restored, (2.0, 0)) != of(standings, (2.0, 0))
