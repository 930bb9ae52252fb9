"""Proof that the learning controllers learn, on spaces whose answer is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gnn.space import Architecture, DecisionSpec, SearchSpace
from searchworker.controllers import make_controller
from searchworker.controllers.base import Controller
from searchworker.controllers.learned import ALARM, LearnedController
from tests.searchworker.landscapes import LAYERED, SEVEN, Planted, play, told

LEARNED = ("reinforce", "ppo")
SEEDS, TRIALS = 20, 60


def learned(name: str, space: SearchSpace, total: int, seed: int = 1) -> LearnedController:
    controller = make_controller(name, space, seed, total)
    assert isinstance(controller, LearnedController)
    return controller


def search(controller: Controller, rounds: int, reward: Callable[[Architecture], float], *, batch: int = 1) -> None:
    for _ in range(rounds):
        controller.tell([told(proposal, reward(proposal.architecture)) for proposal in controller.ask(batch)])


@pytest.fixture(scope="module")
def results() -> dict[str, np.ndarray]:
    """Values [seeds, trials] by controller, on the same planted answers."""
    return {
        name: np.array(
            [
                play(make_controller(name, SEVEN, seed, TRIALS), Planted.of(seed), TRIALS, np.random.default_rng(seed))
                for seed in range(SEEDS)
            ]
        )
        for name in ("random", *LEARNED)
    }


@pytest.mark.parametrize("name", LEARNED)
def test_learning_beats_random_search_at_the_same_budget(name: str, results: dict[str, np.ndarray]) -> None:
    """The values of random architectures have a standard deviation near 2.4; margins are in that unit."""
    best = results[name].max(axis=1) - results["random"].max(axis=1)
    late = results[name][:, -TRIALS // 4 :].mean(axis=1) - results["random"][:, -TRIALS // 4 :].mean(axis=1)
    assert best.mean() > 0.5
    assert late.mean() > 2.0
    assert (late > 0).mean() >= 0.9


@pytest.mark.parametrize("name", LEARNED)
def test_the_probability_of_a_rewarded_choice_rises(name: str) -> None:
    controller = learned(name, SEVEN, total=60)
    search(controller, 60, lambda architecture: 0.3 if architecture["d3"] == 2 else 0.2)
    assert controller.marginals()["d3"][2] > 0.6


@pytest.mark.parametrize("name", LEARNED)
def test_one_update_moves_towards_the_better_and_away_from_the_worse_choice(name: str) -> None:
    controller = learned(name, SearchSpace([DecisionSpec("a", (0, 1, 2)), DecisionSpec("b", tuple(range(20)))]), total=20)
    before = controller.marginals()["a"]
    search(controller, 1, lambda architecture: float(architecture["a"]), batch=20)
    after = controller.marginals()["a"]
    assert after[2] > before[2]
    assert after[0] < before[0]


@pytest.mark.parametrize("name", LEARNED)
def test_a_choice_inside_a_condition_is_learned(name: str) -> None:
    controller = learned(name, LAYERED, total=100)
    search(controller, 100, lambda architecture: float(architecture.get("activation.1", "") == "tanh"))
    marginals = controller.marginals()
    assert marginals["activation.1"][1] > 0.6
    assert marginals["operator.1"][0] < 0.2  # "plain" has no activation


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize("scale", [(1e-4, 0.0), (1e3, -5e6)])
def test_the_scale_and_offset_of_rewards_do_not_matter(name: str, scale: tuple[float, float]) -> None:
    landscape, (factor, offset) = Planted.of(0), scale
    plain, scaled = learned(name, SEVEN, total=40), learned(name, SEVEN, total=40)
    search(plain, 40, landscape.value)
    search(scaled, 40, lambda architecture: factor * landscape.value(architecture) + offset)
    for decision, probabilities in plain.marginals().items():
        assert scaled.marginals()[decision] == pytest.approx(probabilities, abs=0.05)


@pytest.mark.parametrize("name", LEARNED)
def test_equal_rewards_teach_nothing(name: str) -> None:
    controller = learned(name, SEVEN, total=40)
    search(controller, 40, lambda _: 0.25)
    for probabilities in controller.marginals().values():
        assert probabilities == pytest.approx([0.25] * 4, abs=0.02)


@pytest.mark.parametrize("name", LEARNED)
def test_a_collapsed_policy_raises_the_alarm_and_explores(name: str) -> None:
    space = SearchSpace([DecisionSpec("a", (0, 1, 2, 3)), DecisionSpec("b", (0, 1, 2, 3)), DecisionSpec("c", (0, 1, 2, 3))])
    controller = learned(name, space, total=60)
    assert controller.alarm == 0
    search(
        controller, 60, lambda architecture: float(architecture["a"] == 1) + float(architecture["b"] == 1) + float(architecture["c"] == 1)
    )
    assert controller.repeat_rate > ALARM
    assert 0 < controller.alarm <= 1
    assert len(controller.ask(10)) == 4  # 64 in all, none twice


@pytest.mark.parametrize("name", LEARNED)
def test_an_update_reports_its_health(name: str) -> None:
    controller = learned(name, SEVEN, total=40)
    assert controller.diagnostics == {}
    search(controller, 20, Planted.of(0).value)
    health = controller.diagnostics
    assert set(health) >= {"loss", "mean_advantage", "advantage_std", "entropy", "repeat_rate"}
    assert all(np.isfinite(value) for value in health.values())
    assert 0 < health["entropy"] <= np.log(4) + 1e-6
    assert ("kl" in health) == ("clip_fraction" in health) == (name == "ppo")


@pytest.mark.parametrize("name", LEARNED)
def test_behaviour_has_a_log_probability_and_an_entropy_for_each_active_decision(name: str) -> None:
    controller = learned(name, LAYERED, total=10)
    for proposal in controller.ask(20):
        behaviour = proposal.behaviour
        assert list(behaviour["log_probs"]) == list(behaviour["entropies"]) == [decision for decision, _ in proposal.architecture.choices]
        for decision in LAYERED.decisions:
            if decision.name in proposal.architecture:  # a new policy is uniform
                assert behaviour["log_probs"][decision.name] == pytest.approx(-np.log(len(decision.choices)), abs=1e-6)
                assert behaviour["entropies"][decision.name] == pytest.approx(np.log(len(decision.choices)), abs=1e-6)


@pytest.mark.parametrize("name", LEARNED)
def test_earlier_searches_narrow_the_first_draws_and_leave_every_choice_open(name: str) -> None:
    controller = learned(name, SEVEN, total=40)
    examples = [(SEVEN.architecture({f"d{i}": 2 if i == 3 else choice for i in range(7)}), 1.0) for choice in range(4)]
    controller.warm_start(examples)
    marginals = controller.marginals()
    assert marginals["d3"][2] > 0.5
    assert min(min(probabilities) for probabilities in marginals.values()) > 0.01


@pytest.mark.parametrize("name", LEARNED)
def test_the_best_outcomes_stay_in_the_memory_when_the_latest_have_left(name: str) -> None:
    controller = learned(name, SEVEN, total=80)
    rewards: dict[str, float] = {}

    def reward(architecture: Architecture) -> float:
        rewards[architecture.key] = 1.0 if len(rewards) == 2 else 0.001 * len(rewards)
        return rewards[architecture.key]

    search(controller, 60, reward)
    kept = controller.state_dict()["best"]["rewards"]
    assert len(kept) == controller.elite
    assert sorted(kept, reverse=True) == sorted(rewards.values(), reverse=True)[: controller.elite]
