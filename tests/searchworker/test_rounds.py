from __future__ import annotations

from dataclasses import replace

import pytest

from gnn.space import Architecture, DecisionSpec, SearchSpace
from searchworker.rounds import Ended, Situation, derived_seed, play_round

SPACE = SearchSpace([DecisionSpec("a", (1, 2, 3)), DecisionSpec("b", ("x", "y", "z"))])


def situation(**changes: object) -> Situation:
    first = Situation(
        space=SPACE,
        controller="ppo",
        seed=5,
        planned=6,
        asked=0,
        slots=2,
        ended=(),
        completed_rewards=(),
        controller_state=None,
    )
    return replace(first, **changes)  # type: ignore[arg-type]


def play_to_the_end(controller: str, *, slots: int, planned: int = 6) -> list[str]:
    """Keys in the order they were proposed, each trial's reward being its ``a``."""
    keys: list[str] = []
    state, ended = None, []
    while True:
        round_ = play_round(
            situation(controller=controller, slots=slots, planned=planned, asked=len(keys), ended=ended, controller_state=state)
        )
        if not round_.proposals:
            return keys
        state = round_.controller_state
        keys += [proposal.architecture.key for proposal in round_.proposals]
        ended = [Ended(proposal.architecture, proposal.behaviour, float(proposal.architecture["a"])) for proposal in round_.proposals]


@pytest.mark.parametrize("controller", ["random", "reinforce", "ppo"])
def test_a_round_asks_for_no_more_than_the_slots_and_the_budget(controller: str) -> None:
    assert len(play_round(situation(controller=controller, slots=2)).proposals) == 2
    assert len(play_round(situation(controller=controller, slots=9, asked=0)).proposals) == 6
    assert play_round(situation(controller=controller, slots=0)).proposals == []
    assert play_round(situation(controller=controller, slots=-1)).proposals == []


@pytest.mark.parametrize("controller", ["random", "reinforce", "ppo"])
def test_the_same_rounds_give_the_same_trials_and_never_one_twice(controller: str) -> None:
    keys = play_to_the_end(controller, slots=1)
    assert keys == play_to_the_end(controller, slots=1)
    assert len(set(keys)) == len(keys) == 6


def test_a_space_smaller_than_the_budget_is_exhausted() -> None:
    keys = play_to_the_end("ppo", slots=4, planned=50)
    assert len(keys) == SPACE.size == 9
    assert play_round(situation(planned=50, slots=20)).exhausted


def test_failures_of_the_architecture_have_a_reward_and_other_failures_are_never_told() -> None:
    first = play_round(situation(slots=4))
    ended = [
        Ended(proposal.architecture, proposal.behaviour, reward, failure)
        for proposal, reward, failure in zip(first.proposals, (0.3, None, None, None), ("", "diverged", "lost", "error"), strict=True)
    ]
    round_ = play_round(situation(asked=4, slots=0, ended=ended, completed_rewards=(0.2, 0.3), controller_state=first.controller_state))
    assert round_.rewards[0] == 0.3
    assert round_.rewards[1] is not None
    assert round_.rewards[1] < 0.2
    assert round_.rewards[2:] == [None, None]


def test_an_unknown_trial_cannot_be_told() -> None:
    stranger = Ended(Architecture.of({"a": 1, "b": "x"}), {}, 0.5)
    with pytest.raises(ValueError, match="not asked for"):
        play_round(situation(controller="random", ended=[stranger]))


def test_derived_seeds_differ_by_path_and_repeat() -> None:
    seeds = {derived_seed(1), derived_seed(1, 1), derived_seed(1, 2), derived_seed(2, 1), derived_seed(1, 0, 1)}
    assert len(seeds) == 5
    assert derived_seed(1, 2) == derived_seed(1, 2)
