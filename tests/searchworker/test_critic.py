"""The critic against the textbook's formulas, and its choices on a landscape whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from searchworker import critic
from searchworker.checkpoint import pack, unpack
from searchworker.controllers import make_controller
from searchworker.controllers.learned import LearnedController
from searchworker.critic import CAPACITY, DECAY, LEAST, NOISE, Critic
from searchworker.encoding import INACTIVE, SpaceEncoding
from searchworker.standing import Standings
from tests.searchworker.landscapes import LAYERED, SEVEN, Planted, play, told

ROWS = np.array([[i // 8 % 4, i // 2 % 4, i % 2 or INACTIVE] for i in range(32)])


def informed(rows: np.ndarray, rewards: np.ndarray) -> tuple[Critic, Standings]:
    model, standings = Critic(), Standings()
    for number, (row, reward) in enumerate(zip(rows.tolist(), rewards.tolist(), strict=True)):
        standings.update(0, reward, None)
        model.put(number, row, reward, 0)
    return model, standings


def test_improvement_is_that_of_a_conditional_normal_distribution_by_quadrature() -> None:
    rewards = np.random.default_rng(0).normal(size=12)
    known, new = ROWS[:12], ROWS[12:20]
    model, standings = informed(known, rewards)
    values = (rewards - rewards.mean()) / rewards.std()
    every = np.concatenate([known, new])
    joint = np.array([[math.exp(-DECAY * sum(a != b for a, b in zip(x, y, strict=True)) / 3) for y in every] for x in every])
    noisy = np.linalg.inv(joint[:12, :12] + NOISE * np.eye(12))
    amplitude = values @ noisy @ values / 12
    for j, found in enumerate(model.improvement(new, standings), start=12):
        mean = joint[j, :12] @ noisy @ values
        deviation = math.sqrt(amplitude * (1 - joint[j, :12] @ noisy @ joint[:12, j]))
        expected, _ = quad(lambda y: (y - values.max()) * norm.pdf(y, mean, deviation), values.max(), values.max() + 12)  # noqa: B023
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-9)


def test_with_too_few_outcomes_or_equal_ones_no_candidate_is_better_than_another() -> None:
    few, standings = informed(ROWS[: LEAST - 1], np.arange(LEAST - 1.0))
    assert few.improvement(ROWS, standings).tolist() == [0.0] * len(ROWS)
    equal, standings = informed(ROWS[:16], np.full(16, 0.25))
    assert np.ptp(equal.improvement(ROWS[16:], standings)) == 0


def test_two_decisions_that_only_matter_together_are_understood() -> None:
    """The reward is 1 where d0 and d1 agree, a quarter of the space; no choice alone is worth anything."""
    rows = np.random.default_rng(1).integers(4, size=(400, 7))
    rewards = (rows[:, 0] == rows[:, 1]).astype(float)
    model, standings = informed(rows[:150], rewards[:150])
    best = np.argsort(-model.improvement(rows[150:], standings))[:20]
    assert rewards[150:].mean() < 0.3
    assert rewards[150:][best].mean() > 0.6


def test_a_later_rung_takes_the_place_of_an_earlier_one() -> None:
    model, standings = informed(ROWS[:16], np.arange(16.0))
    for reward, below in ((4.0, 15.0), (9.0, 14.0)):
        standings.update(1, reward, below)
    model.put(14, ROWS[14].tolist(), 9.0, 1)
    model.put(15, ROWS[15].tolist(), 4.0, 1)
    state = model.state_dict()
    assert state["rungs"].tolist() == [0] * 14 + [1, 1]
    assert state["rewards"][-2:].tolist() == [9.0, 4.0]
    assert np.isfinite(model.improvement(ROWS[16:], standings)).all()


def test_the_latest_are_kept_and_the_state_gives_the_same_judgement() -> None:
    encoding = SpaceEncoding(LAYERED)
    generator = np.random.default_rng(2)
    rows = np.array([encoding.row(LAYERED.sample(generator)) for _ in range(CAPACITY + 20)])
    model, standings = informed(rows, generator.normal(size=len(rows)))
    assert sorted(model.numbers().values())[0] >= 20
    restored = Critic()
    restored.load_state_dict(unpack(pack(model.state_dict())))
    assert restored.improvement(rows[:20], standings).tolist() == model.improvement(rows[:20], standings).tolist()


@pytest.mark.parametrize("name", ["reinforce", "ppo"])
class TestScreening:
    def test_proposals_are_better_than_the_new_draws_of_the_same_policy(self, name: str) -> None:
        """By half a unit on the mean of six searches, at the critic's turn; random architectures have a standard deviation near 2.4."""
        gains = []
        for seed in range(6):
            landscape = Planted.of(seed)
            controller = make_controller(name, SEVEN, seed, 40)
            assert isinstance(controller, LearnedController)
            play(controller, landscape, 21, np.random.default_rng(seed))
            rows = {tuple(row) for row in controller._policy.sample(200, torch.Generator().manual_seed(seed)).tolist()}
            new = rows - set(controller._critic.numbers())
            (proposal,) = controller.ask(1)
            drawn = np.mean([landscape.value(controller._encoding.architecture(row)) for row in new])
            gains.append(landscape.value(proposal.architecture) - drawn)
        assert np.mean(gains) > 0.5

    def test_a_search_finds_more_than_the_policy_alone(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def best() -> float:
            searches = [
                play(make_controller(name, SEVEN, seed, 40), Planted.of(seed), 40, np.random.default_rng(seed)) for seed in range(6)
            ]
            return float(np.mean([max(values) for values in searches]))

        screened = best()
        monkeypatch.setattr(critic, "LEAST", 1000)
        assert screened > best() + 0.3

    def test_behaviour_is_the_policys_own_probability(self, name: str) -> None:
        controller = make_controller(name, SEVEN, 0, 40)
        assert isinstance(controller, LearnedController)
        play(controller, Planted.of(0), 20, np.random.default_rng(0))
        policy = controller._policy
        (proposal,) = controller.ask(1)
        evaluation = policy.evaluate(torch.tensor([controller._encoding.row(proposal.architecture)]))
        assert list(proposal.behaviour["log_probs"].values()) == pytest.approx(evaluation.log_probs[0].tolist(), abs=1e-5)
        controller.tell([told(proposal, 0.2)])
