"""The one interface of every controller, and what they all share: no architecture is proposed twice.

A controller is a small class behind ``ask`` and ``tell`` with a state that can be stored between any two
calls; it knows nothing of databases, queues or models.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from gnn.space import Architecture, Choice, SearchSpace

RANDOM_TRIES = 64
"""Random draws before the space is walked for an architecture that was not yet proposed."""


@dataclass(frozen=True)
class Proposal:
    """An architecture to train; ``behaviour`` is JSON-able, kept with the trial and handed back in its outcome."""

    architecture: Architecture
    behaviour: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """A proposal that was trained, with its reward (see searchworker/reward.py)."""

    architecture: Architecture
    behaviour: dict[str, Any]
    reward: float


class Controller(ABC):
    """Proposes architectures and learns from their rewards.

    ``total`` is the planned number of trials; schedules run over it, and asking for more is allowed.
    Outcomes may be told in any order and any number at a time. Nothing here touches a global generator.
    """

    name: ClassVar[str]

    def __init__(self, space: SearchSpace, seed: int, total: int) -> None:
        if total < 1:
            raise ValueError(f"A search needs at least one trial, but total is {total}.")
        self.space = space
        self.seed = seed
        self.total = total
        self.diagnostics: dict[str, float] = {}
        """Health of the latest update; empty before the first and for controllers that do not learn."""
        self._generator = np.random.default_rng(seed)
        # Keys as numbers: they are stored at every step, and 8 bytes each let the state grow slowly.
        self._asked: set[int] = set()
        self._in_flight: set[int] = set()

    def ask(self, n: int) -> list[Proposal]:
        """Propose ``n`` architectures never proposed before; fewer only when the space has no more."""
        if n < 0:
            raise ValueError(f"Cannot ask for {n} architectures.")
        return self._propose(min(n, self.space.size - len(self._asked)))

    def tell(self, outcomes: Sequence[Outcome]) -> None:
        """Learn from trained proposals, one after the other: it does not matter how they are grouped into calls.

        Raises:
            ValueError: an outcome was never asked for, was told before, or its reward is not finite; then
                none of ``outcomes`` is taken in.
        """
        keys = [_number(outcome.architecture) for outcome in outcomes]
        waiting = set(self._in_flight)
        for outcome, key in zip(outcomes, keys, strict=True):
            if key not in waiting:
                raise ValueError(f"{outcome.architecture} was not asked for by this search, or was told before.")
            if not math.isfinite(outcome.reward):
                raise ValueError(f"The reward of {outcome.architecture} is {outcome.reward}, which is not finite.")
            waiting.remove(key)
        for outcome, key in zip(outcomes, keys, strict=True):
            self._in_flight.remove(key)
            self._learn(outcome)

    @abstractmethod
    def _propose(self, n: int) -> list[Proposal]:
        """Make ``n`` proposals (the space has that many left), each passed through :meth:`_claim`."""

    @abstractmethod
    def _learn(self, outcome: Outcome) -> None:
        """Take in one outcome that has been checked."""

    @abstractmethod
    def marginals(self) -> dict[str, list[float]]:
        """The probability of each choice of each decision, given that the decision is active."""

    def _claim(self, architecture: Architecture) -> bool:
        """Note that ``architecture`` is proposed now; False if it was already."""
        key = _number(architecture)
        if key in self._asked:
            return False
        self._asked.add(key)
        self._in_flight.add(key)
        return True

    def _claim_random(self) -> Architecture:
        """Claim a random architecture that was not yet proposed; the space must have one.

        When random draws keep hitting proposed ones the space is nearly used up, and a walk over it in
        random order finds what is left.
        """
        for _ in range(RANDOM_TRIES):
            architecture = self.space.sample(self._generator)
            if self._claim(architecture):
                return architecture
        found = self._walk({}, 0)
        assert found is not None, "ask() checks that the space has architectures left"
        return found

    def _walk(self, assigned: dict[str, Choice], depth: int) -> Architecture | None:
        while depth < len(self.space.decisions) and not self.space.is_active(self.space.decisions[depth], assigned):
            depth += 1
        if depth == len(self.space.decisions):
            architecture = Architecture.of(assigned)
            return architecture if self._claim(architecture) else None
        decision = self.space.decisions[depth]
        for position in self._generator.permutation(len(decision.choices)):
            found = self._walk({**assigned, decision.name: decision.choices[position]}, depth + 1)
            if found is not None:
                return found
        return None

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue exactly: JSON-able values, torch tensors and numpy arrays."""
        return {
            "controller": self.name,
            "generator": self._generator.bit_generator.state,
            "asked": _as_array(self._asked),
            "in_flight": _as_array(self._in_flight),
            "diagnostics": dict(self.diagnostics),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state of the same controller on the same space.

        Raises:
            ValueError: the state is of another controller.
        """
        if state["controller"] != self.name:
            raise ValueError(f"This state is of the controller '{state['controller']}', not '{self.name}'.")
        self._generator.bit_generator.state = state["generator"]
        self._asked = set(state["asked"].tolist())
        self._in_flight = set(state["in_flight"].tolist())
        self.diagnostics = dict(state["diagnostics"])


def _number(architecture: Architecture) -> int:
    return int(architecture.key, 16)


def _as_array(keys: set[int]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    return np.sort(np.fromiter(keys, dtype=np.uint64, count=len(keys)))
