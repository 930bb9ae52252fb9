from __future__ import annotations

from dataclasses import replace

import pytest

from gnn.plan import Budget, SearchPlan
from gnn.seeds import derived_seed
from gnn.space import Architecture, DecisionSpec, SearchSpace, SpaceRules
from searchworker.controllers.base import Outcome
from searchworker.rounds import Situation, budget_spent, divided, failed_reward, play_round

SPACE = SearchSpace([DecisionSpec("a", (1, 2, 3)), DecisionSpec("b", ("x", "y", "z"))])


def situation(**changes: object) -> Situation:
    first = Situation(space=SPACE, controller="ppo", seed=5, planned=6, wanted=2, told=0, outcomes=())
    return replace(first, **changes)  # type: ignore[arg-type]


def play_to_the_end(controller: str, *, slots: int, planned: int = 6) -> list[str]:
    """Keys in the order they were proposed, each trial's reward being its ``a``."""
    keys: list[str] = []
    state, outcomes = None, []
    while True:
        wanted = min(slots, planned - len(keys))
        told = len(keys) - len(outcomes)
        round_ = play_round(
            situation(controller=controller, wanted=wanted, planned=planned, told=told, outcomes=outcomes, controller_state=state)
        )
        if not round_.proposals:
            return keys
        state = round_.controller_state
        keys += [proposal.architecture.key for proposal in round_.proposals]
        outcomes = [Outcome(proposal.architecture, proposal.behaviour, float(proposal.architecture["a"])) for proposal in round_.proposals]


@pytest.mark.parametrize("controller", ["random", "reinforce", "ppo"])
def test_the_same_rounds_give_the_same_trials_and_never_one_twice(controller: str) -> None:
    keys = play_to_the_end(controller, slots=1)
    assert keys == play_to_the_end(controller, slots=1)
    assert len(set(keys)) == len(keys) == 6


def test_a_space_smaller_than_the_budget_is_exhausted() -> None:
    keys = play_to_the_end("ppo", slots=4, planned=50)
    assert len(keys) == SPACE.size == 9
    last = play_round(situation(planned=50, wanted=20))
    assert last.exhausted
    assert play_round(situation(planned=50, wanted=0, controller_state=last.controller_state)).exhausted, "and stays so"
    assert not play_round(situation(planned=50, wanted=0)).exhausted


@pytest.mark.parametrize("controller", ["random", "reinforce", "ppo", "evolution", "tpe"])
def test_what_is_to_come_first_does_and_is_learned_from_and_not_proposed_again(controller: str) -> None:
    first = Architecture.of({"a": 2, "b": "y"})
    opening = play_round(situation(controller=controller, planned=50, first=first))
    assert opening.proposals[0].architecture == first
    assert len(opening.proposals) == 2
    outcomes = [Outcome(proposal.architecture, proposal.behaviour, 0.5) for proposal in opening.proposals]
    rest = play_round(situation(controller=controller, planned=50, wanted=20, outcomes=outcomes, controller_state=opening.controller_state))
    assert len({proposal.architecture.key for proposal in [*opening.proposals, *rest.proposals]}) == SPACE.size


def test_what_may_not_be_trained_does_not_come_first() -> None:
    rules = SpaceRules(key=lambda architecture: architecture.key, admits=lambda architecture: architecture["a"] != 2)
    proposals = play_round(situation(first=Architecture.of({"a": 2, "b": "y"}), rules=rules)).proposals
    assert len(proposals) == 2
    assert all(proposal.architecture["a"] != 2 for proposal in proposals)


def test_an_unknown_trial_cannot_be_told() -> None:
    stranger = Outcome(Architecture.of({"a": 1, "b": "x"}), {}, 0.5)
    with pytest.raises(ValueError, match="not asked for"):
        play_round(situation(controller="random", outcomes=[stranger]))


def test_the_controller_reports_about_a_hundred_times_in_a_search() -> None:
    state, reports, told = None, 0, 0
    outcomes: list[Outcome] = []
    space = SearchSpace([DecisionSpec("a", tuple(range(40))), DecisionSpec("b", tuple(range(40)))])
    while told < 300:
        round_ = play_round(
            situation(space=space, controller="random", planned=300, wanted=3, told=told, outcomes=outcomes, controller_state=state)
        )
        state, told = round_.controller_state, told + len(outcomes)
        reports += round_.report is not None
        outcomes = [Outcome(proposal.architecture, proposal.behaviour, 0.5) for proposal in round_.proposals]
    assert reports == 100
    assert round_.report is not None
    assert set(round_.report) == {"diagnostics", "marginals"}


@pytest.mark.parametrize(
    ("slots", "proposed", "planned", "shares"),
    [
        (3, {"controller": 0, "random": 0}, 10, {"controller": 2, "random": 1}),
        (3, {"controller": 4, "random": 1}, 10, {"controller": 0, "random": 3}),
        (9, {"controller": 4, "random": 1}, 5, {"controller": 1, "random": 4}),
        (2, {"random": 3}, 10, {"random": 2}),
        (2, {}, 10, {}),
        (-1, {"controller": 0}, 10, {"controller": 0}),
    ],
)
def test_free_slots_go_to_the_arm_that_has_proposed_least(
    slots: int, proposed: dict[str, int], planned: int, shares: dict[str, int]
) -> None:
    assert divided(slots, proposed, planned) == shares


def spent(budget: Budget, **reached: float | None) -> str:
    given: dict[str, object] = {"epochs": 10, "elapsed": 60.0, "worker_seconds": 90.0, "best": 0.3, "stale": 4}
    return budget_spent(SearchPlan(budget=budget), **(given | reached))  # type: ignore[arg-type]


def test_a_budget_is_spent_when_its_limit_is_reached() -> None:
    assert spent(Budget()) == ""
    assert spent(Budget(epochs=11, seconds=61, worker_seconds=91, target=0.31, stale_trials=5)) == ""
    assert spent(Budget(epochs=10)) == "the budget of 10 epochs is spent"
    assert spent(Budget(seconds=60)) == "the budget of 60 seconds is spent"
    assert spent(Budget(worker_seconds=90)) == "the budget of 90 worker seconds is spent"
    assert spent(Budget(target=0.3)) == "the target of 0.3 is reached"
    assert spent(Budget(stale_trials=4)) == "4 trials brought nothing better"
    assert spent(Budget(target=0.3), best=None) == ""


def test_failures_of_the_architecture_have_a_reward_and_other_failures_are_never_told() -> None:
    reward = failed_reward("diverged", (0.2, 0.3))
    assert reward is not None
    assert reward < 0.2
    assert failed_reward("lost", (0.2, 0.3)) is None
    assert failed_reward("error", (0.2, 0.3)) is None


def test_derived_seeds_differ_by_path_and_repeat() -> None:
    seeds = {derived_seed(1), derived_seed(1, 1), derived_seed(1, 2), derived_seed(2, 1), derived_seed(1, 0, 1)}
    assert len(seeds) == 5
    assert derived_seed(1, 2) == derived_seed(1, 2)
