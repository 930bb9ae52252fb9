"""One round of a search: tell the controller what ended, ask for what the free slots can take.

Pure: the caller reads the situation, and writes the round, in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnn.space import Architecture, SearchSpace
from searchworker.checkpoint import pack, unpack
from searchworker.controllers import make_controller
from searchworker.controllers.base import Outcome, Proposal
from searchworker.reward import failure_reward

REWARDED_FAILURES = ("out_of_memory", "diverged")
"""Failures that say something about the architecture; a lost worker or a bug does not, and is never told."""

FAILURES_BEFORE_GIVING_UP = 8
"""If this many trials end and none succeeds, the search fails instead of spending its whole budget."""


@dataclass(frozen=True)
class Ended:
    """A trial that ended since the last round; ``reward`` is its validation score, None when it failed."""

    architecture: Architecture
    behaviour: dict[str, Any]
    reward: float | None
    failure: str = ""


@dataclass(frozen=True)
class Situation:
    space: SearchSpace
    controller: str
    seed: int
    planned: int
    asked: int
    """Trials proposed so far, in any state."""
    slots: int
    """How many more trials may be in flight."""
    ended: Sequence[Ended]
    """In the order they are to be told."""
    completed_rewards: Sequence[float]
    """Rewards of all completed trials so far; needed only when a trial in ``ended`` failed."""
    controller_state: bytes | None


@dataclass(frozen=True)
class Round:
    rewards: list[float | None]
    """What the controller was told for each of ``ended``; None where it was told nothing."""
    proposals: list[Proposal]
    exhausted: bool
    """Every architecture of the space has been proposed."""
    controller_state: bytes
    diagnostics: Mapping[str, float]


def play_round(situation: Situation) -> Round:
    """Advance the controller by one round; the same situation always gives the same round."""
    controller = make_controller(situation.controller, situation.space, situation.seed, situation.planned)
    if situation.controller_state is not None:
        controller.load_state_dict(unpack(situation.controller_state))
    rewards = [_reward(ended, situation.completed_rewards) for ended in situation.ended]
    outcomes = [
        Outcome(ended.architecture, ended.behaviour, reward)
        for ended, reward in zip(situation.ended, rewards, strict=True)
        if reward is not None
    ]
    if outcomes:
        controller.tell(outcomes)
    wanted = max(0, min(situation.slots, situation.planned - situation.asked))
    proposals = controller.ask(wanted) if wanted else []
    return Round(
        rewards=rewards,
        proposals=proposals,
        exhausted=len(proposals) < wanted,
        controller_state=pack(controller.state_dict()),
        diagnostics=controller.diagnostics,
    )


def _reward(ended: Ended, completed_rewards: Sequence[float]) -> float | None:
    if ended.failure in REWARDED_FAILURES:
        return failure_reward(ended.failure, completed_rewards)
    return ended.reward


def derived_seed(seed: int, *path: int) -> int:
    """An independent seed for one part of a search, e.g. ``derived_seed(search.seed, trial_number)``."""
    return int(np.random.SeedSequence([seed, *path]).generate_state(1)[0])
