"""One round of an arm: tell its controller what ended, ask for what the free slots can take.

Pure: the caller reads the situation, and writes the round, in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gnn.plan import SearchPlan
from gnn.space import PLAIN_RULES, Architecture, SearchSpace, SpaceRules
from searchworker.checkpoint import StateError, pack_parts, unpack_parts
from searchworker.controllers import make_controller
from searchworker.controllers.base import Controller, Outcome, Proposal
from searchworker.reward import failure_reward

REWARDED_FAILURES = ("out_of_memory", "diverged", "time_limit")
"""Failures that say something about the architecture; a lost worker or a bug does not, and is never told."""

FAILURES_BEFORE_GIVING_UP = 8
"""If this many trials end and none succeeds, the search fails instead of spending its whole budget."""

REPORTS = 100
"""How often in a search the controller says what it believes, about."""


@dataclass(frozen=True)
class Situation:
    space: SearchSpace
    controller: str
    seed: int
    planned: int
    wanted: int
    """How many architectures to ask for."""
    told: int
    """Outcomes told before this round."""
    outcomes: Sequence[Outcome]
    """Of the arm's own trials since the last round, in the order they are to be told."""
    observed: Sequence[Outcome] = ()
    """Of trials that were enqueued by hand."""
    expected: Sequence[Architecture] = ()
    """In training by somebody else's choice: not to be proposed."""
    controller_state: Mapping[str, bytes] | None = None
    """By part; None before the first round."""
    rules: SpaceRules = PLAIN_RULES
    examples: Sequence[tuple[Architecture, float]] = ()
    """Good architectures of earlier searches with their weights, for the first round."""
    first: Architecture | None = None
    """To be proposed before those that the controller thinks of, if it may be trained."""


@dataclass(frozen=True)
class Round:
    proposals: list[Proposal]
    exhausted: bool
    """The controller has nothing more to propose."""
    controller_state: Mapping[str, bytes]
    """By part; most are as they were."""
    report: Mapping[str, Any] | None = field(default=None)
    """Diagnostics and marginals, once in a while."""


def play_round(situation: Situation) -> Round:
    """Advance a controller by one round; the same situation always gives the same round."""
    controller = make_controller(situation.controller, situation.space, situation.seed, situation.planned, situation.rules)
    if situation.controller_state is not None:
        _load(controller, situation.controller_state)
    elif situation.examples:
        controller.warm_start(situation.examples)
    controller.expect(situation.expected)
    if situation.observed:
        controller.observe(situation.observed)
    if situation.outcomes:
        controller.tell(situation.outcomes)
    proposals: list[Proposal] = []
    if situation.wanted and situation.first is not None and (suggested := controller.suggest(situation.first)):
        proposals.append(suggested)
    proposals += controller.ask(situation.wanted - len(proposals))
    every = max(1, situation.planned // REPORTS)
    due = (situation.told + len(situation.outcomes)) // every > situation.told // every
    return Round(
        proposals=proposals,
        exhausted=controller.exhausted,
        controller_state=pack_parts(controller.state_dict()),
        report={"diagnostics": controller.diagnostics, "marginals": controller.marginals()} if due else None,
    )


def _load(controller: Controller, state: Mapping[str, bytes]) -> None:
    """Go on from a stored state.

    Raises:
        StateError: it is of another version, in whatever way.
    """
    try:
        controller.load_state_dict(unpack_parts(state))
    except StateError:
        raise
    except Exception as error:  # a version that did not change its number may lack an entry, or have one of another shape
        raise StateError(f"The controller state is of another version: {type(error).__name__}: {error}") from error


def divided(slots: int, proposed: Mapping[Any, int], planned: int) -> dict[str, int]:
    """Share free slots between arms: each goes to the arm that has proposed least, the first one where they are equal.

    Args:
        proposed: trials proposed so far by each arm that may go on.
        planned: trials that each may propose in all.
    """
    after = dict(proposed)
    for _ in range(slots):
        open_arms = [arm for arm in after if after[arm] < planned]
        if not open_arms:
            break
        after[min(open_arms, key=lambda arm: after[arm])] += 1
    return {arm: after[arm] - proposed[arm] for arm in proposed}


def budget_spent(plan: SearchPlan, *, epochs: int, elapsed: float, worker_seconds: float, best: float | None, stale: int) -> str:
    """Which budget is spent, in words; empty while none is.

    Args:
        epochs: trained by the controller's arm.
        elapsed: seconds since the start.
        worker_seconds: training time of all arms.
        best: best reward of the controller's arm.
        stale: its outcomes since then.
    """
    budget = plan.budget
    if budget.target is not None and best is not None and best >= budget.target:
        return f"the target of {budget.target:g} is reached"
    if budget.stale_trials is not None and stale >= budget.stale_trials:
        return f"{stale} trials brought nothing better"
    if budget.epochs is not None and epochs >= budget.epochs:
        return f"the budget of {budget.epochs:,} epochs is spent"
    if budget.worker_seconds is not None and worker_seconds >= budget.worker_seconds:
        return f"the budget of {budget.worker_seconds:,.0f} worker seconds is spent"
    if budget.seconds is not None and elapsed >= budget.seconds:
        return f"the budget of {budget.seconds:,.0f} seconds is spent"
    return ""


def failed_reward(failure: str, completed: Sequence[float]) -> float | None:
    """What is told of a failed trial; None for failures that say nothing about its architecture."""
    return failure_reward(failure, completed) if failure in REWARDED_FAILURES else None
