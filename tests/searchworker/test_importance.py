from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gnn.catalogue import preset_space
from gnn.space import Architecture, DecisionSpec, SearchSpace
from searchworker.importance import MIN_TRIALS, EqualRewards, Importance, Method, TooFewTrials, importance

METHODS: tuple[Method, ...] = ("fanova", "ped_anova")
SPACE = SearchSpace(
    [
        DecisionSpec("size", (16, 32, 64, 128)),
        DecisionSpec("loss", ("bpr", "softmax")),
        DecisionSpec("temperature", (0.1, 0.2, 0.3), when={"loss": ("softmax",)}),
        DecisionSpec("rate", (0.01, 0.02, 0.03)),
        DecisionSpec("fixed", (1,)),
    ]
)


def finished(reward: Callable[[Architecture], float], n: int, space: SearchSpace = SPACE, noise: float = 0.01) -> list:
    generator = np.random.default_rng(1)
    drawn = [space.sample(generator) for _ in range(n)]
    return [(architecture, reward(architecture) + noise * generator.standard_normal()) for architecture in drawn]


def by_size(architecture: Architecture) -> float:
    return float(np.log2(float(architecture["size"])))


@pytest.mark.parametrize("method", METHODS)
def test_the_one_decision_that_matters_is_found(method: Method) -> None:
    found = importance(SPACE, finished(by_size, 150), method)
    assert isinstance(found, Importance)
    assert next(iter(found.shares)) == "size"
    assert found.shares["size"] > 0.8
    assert sum(found.shares.values()) == pytest.approx(1)
    assert set(found.shares) == {"size", "loss", "temperature", "rate"}
    assert (found.unjudged, found.trials) == ((), 150)


@pytest.mark.parametrize("method", METHODS)
def test_a_decision_that_matters_only_where_it_is_active_is_found(method: Method) -> None:
    found = importance(SPACE, finished(lambda a: 10 * float(a.get("temperature", 0.2)), 200), method)
    assert isinstance(found, Importance)
    assert next(iter(found.shares)) == "temperature"
    assert found.shares["temperature"] > 0.5


def test_shares_of_variance_by_hand() -> None:
    """Two coins worth 3 and 4: variances in the ratio of 9 to 16."""
    space = SearchSpace([DecisionSpec("three", (0, 1)), DecisionSpec("four", (0, 1)), DecisionSpec("none", (0, 1))])
    found = importance(space, finished(lambda a: 3 * float(a["three"]) + 4 * float(a["four"]), 400, space), "fanova")
    assert isinstance(found, Importance)
    assert found.shares == pytest.approx({"four": 0.64, "three": 0.36, "none": 0.0}, abs=0.03)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_trials_give_the_same_shares(method: Method) -> None:
    trials = finished(by_size, 60)
    assert importance(SPACE, trials, method, seed=4) == importance(SPACE, trials, method, seed=4)


@pytest.mark.parametrize("method", METHODS)
def test_every_decision_of_a_large_space_is_judged_or_named(method: Method) -> None:
    space = preset_space("full")
    found = importance(space, finished(lambda a: np.log2(float(a["node_dim"])), 100, space), method)
    assert isinstance(found, Importance)
    assert {*found.shares, *found.unjudged} == {decision.name for decision in space.decisions}
    assert next(iter(found.shares)) == "node_dim"


@pytest.mark.parametrize("method", METHODS)
def test_too_few_trials_say_nothing(method: Method) -> None:
    trials = finished(by_size, MIN_TRIALS - 1)
    assert importance(SPACE, trials, method) == TooFewTrials(MIN_TRIALS - 1, MIN_TRIALS)


@pytest.mark.parametrize("method", METHODS)
def test_equal_rewards_say_nothing(method: Method) -> None:
    assert importance(SPACE, finished(lambda a: 0.5, 30, noise=0), method) == EqualRewards(30)


def test_a_single_architecture_says_nothing() -> None:
    one = SPACE.sample(np.random.default_rng(0))
    assert importance(SPACE, [(one, float(n)) for n in range(MIN_TRIALS)], "fanova") == EqualRewards(MIN_TRIALS)
