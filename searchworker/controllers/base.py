"""The one interface of every controller, and what they all share: no architecture is proposed twice.

A controller is a small class behind ``ask`` and ``tell`` with a state that can be stored between any two
calls; it knows nothing of databases, queues or models.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from gnn.space import PLAIN_RULES, Architecture, Choice, SearchSpace, SpaceRules
from searchworker.checkpoint import StateError
from searchworker.controllers.table import Table
from searchworker.standing import Standings

VERSION = 4
"""Of the state; it changes with what the state means."""
RANDOM_TRIES = 64
"""Random draws before the space is walked for an architecture that may still be proposed."""
RANDOM_TRIES_LARGE = 1024
"""The same in a space too large to be walked to its end."""
WALK = 20_000
"""Architectures looked at in one walk; a space this small is exhausted exactly."""

MUTATIONS = 4
"""Most mutations between an architecture and the one proposed in its place."""
MUTANTS = 8
"""Tries at each number of mutations."""


@dataclass(frozen=True)
class Proposal:
    """An architecture to train; ``behaviour`` is JSON-able, kept with the trial and handed back in its outcome."""

    architecture: Architecture
    behaviour: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """The reward of an architecture at a rung (see searchworker/reward.py), comparable within its rung only."""

    architecture: Architecture
    behaviour: dict[str, Any]
    reward: float
    rung: int = 0


class Controller(ABC):
    """Proposes architectures and learns from their rewards.

    ``total`` is the planned number of trials; schedules run over it, and asking for more is allowed. ``rules`` say which
    spellings are one architecture, and which may not be trained. Outcomes of different architectures may be told in any
    order and any number at a time. Nothing here touches a global generator.
    """

    name: ClassVar[str]

    def __init__(self, space: SearchSpace, seed: int, total: int, rules: SpaceRules = PLAIN_RULES) -> None:
        if total < 1:
            raise ValueError(f"A search needs at least one trial, but total is {total}.")
        self.space = space
        self.seed = seed
        self.total = total
        self.rules = rules
        self.diagnostics: dict[str, float] = {}
        """Health of the latest update; empty before the first and for controllers that do not learn."""
        self.exhausted = False
        """Nothing is left that may be proposed."""
        self._generator = np.random.default_rng(seed)
        self._table = Table()
        """Every architecture proposed or observed."""
        self._n_told = 0
        self._standings = Standings()

    def ask(self, n: int) -> list[Proposal]:
        """Propose ``n`` architectures never proposed before; fewer only when nothing else is left."""
        if n < 0:
            raise ValueError(f"Cannot ask for {n} architectures.")
        return [] if self.exhausted or n == 0 else self._propose(n)

    def suggest(self, architecture: Architecture) -> Proposal | None:
        """Propose what somebody else thinks worth a trial; None if it was proposed before or may not be trained."""
        return Proposal(architecture, {}) if self._claim(architecture) else None

    def tell(self, outcomes: Sequence[Outcome]) -> None:
        """Learn from trained proposals, one after the other: it does not matter how they are grouped into calls.

        Rungs of one architecture come in ascending order, each once.

        Raises:
            ValueError: an outcome was never asked for, was told before or skips a rung, or its reward is not finite;
                then none of ``outcomes`` is taken in.
        """
        self._take(outcomes, strangers=False)

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        """Learn from architectures that others chose, as :meth:`tell` does, and never propose them.

        Their behaviour is empty. One that is not of the space is remembered only.

        Raises:
            ValueError: as for :meth:`tell`.
        """
        self._take(outcomes, strangers=True)

    def expect(self, architectures: Sequence[Architecture]) -> None:
        """Note that ``architectures`` are in training already: they are not proposed, and their outcomes may be told or observed."""
        for number in map(self._number, architectures):
            if number not in self._table:
                self._table.add(number)

    def warm_start(self, examples: Sequence[tuple[Architecture, float]]) -> None:
        """Start from ``examples``: architectures that were good in earlier searches, with weights in (0, 1].

        Those that are not of this space are passed over.

        Raises:
            ValueError: proposals were made already, or a weight is out of range.
        """
        if len(self._table):
            raise ValueError("Earlier searches can only be taken into account before the first proposal.")
        for architecture, weight in examples:
            if not 0 < weight <= 1:
                raise ValueError(f"The weight of {architecture} must be above 0 and at most 1, but is {weight}.")
        known = [
            (self.space.architecture(architecture.to_json()), weight) for architecture, weight in examples if architecture in self.space
        ]
        if known:
            self._warm(sorted(known, key=lambda example: -example[1]))

    @property
    def progress(self) -> float:
        """Share of the planned trials that have been told, at most 1."""
        return min(1.0, self._n_told / self.total)

    @abstractmethod
    def _propose(self, n: int) -> list[Proposal]:
        """Make up to ``n`` proposals, each passed through :meth:`_claim`; ``n`` is at least 1."""

    @abstractmethod
    def _learn(self, outcome: Outcome, number: int) -> None:
        """Take in one outcome that has been checked and entered into the table; ``number`` stands for its architecture."""

    @abstractmethod
    def _warm(self, examples: list[tuple[Architecture, float]]) -> None:
        """Take in at least one example, the heaviest first, each spelled as the space does."""

    @abstractmethod
    def marginals(self) -> dict[str, list[float]]:
        """The probability of each choice of each decision, given that the decision is active."""

    def _take(self, outcomes: Sequence[Outcome], *, strangers: bool) -> None:
        numbers = [self._number(outcome.architecture) for outcome in outcomes]
        told: dict[int, int] = {}
        for outcome, number in zip(outcomes, numbers, strict=True):
            if not strangers and number not in self._table:
                raise ValueError(f"{outcome.architecture} was not asked for by this search.")
            following = told.get(number, self._table.told(number)[0])
            if outcome.rung != following:
                raise ValueError(
                    f"Rung {outcome.rung} of {outcome.architecture} "
                    + ("was told before." if 0 <= outcome.rung < following else f"cannot be told before rung {following}.")
                )
            if not math.isfinite(outcome.reward):
                raise ValueError(f"The reward of {outcome.architecture} is {outcome.reward}, which is not finite.")
            told[number] = following + 1
        for outcome, number in zip(outcomes, numbers, strict=True):
            self._standings.update(outcome.rung, outcome.reward, self._table.told(number)[1] if outcome.rung else None)
            self._n_told += outcome.rung == 0
            self._table.tell(number, outcome.rung + 1, outcome.reward)
            if outcome.architecture in self.space:
                self._learn(outcome, number)

    def _claim(self, architecture: Architecture) -> bool:
        """Note that ``architecture`` is proposed now; False if it was already, or may not be trained."""
        number = self._number(architecture)
        if number in self._table or not self.rules.admits(architecture):
            return False
        self._table.add(number)
        return True

    def _claim_random(self) -> Architecture | None:
        """Claim a random architecture; None, and the search is exhausted, if none is left.

        When random draws keep hitting those that are taken the space is nearly used up, and a walk over it in
        random order finds what is left. In a space of more than ``WALK`` architectures the walk sees a part
        only, but then a thousand draws have failed before.
        """
        for _ in range(RANDOM_TRIES if self.space.size <= WALK else RANDOM_TRIES_LARGE):
            architecture = self.space.sample(self._generator)
            if self._claim(architecture):
                return architecture
        found, _ = self._walk({}, 0, WALK)
        self.exhausted = found is None
        return found

    def _claim_mutant(self, architecture: Architecture) -> Architecture | None:
        """Claim an architecture a few mutations away, the nearer ones first; None if no try succeeds."""
        for mutations in range(1, MUTATIONS + 1):
            for _ in range(MUTANTS):
                mutant = architecture
                for _ in range(mutations):
                    mutant = mutated(mutant, self.space, self._generator)
                if self._claim(mutant):
                    return mutant
        return None

    def _walk(self, assigned: dict[str, Choice], depth: int, steps: int) -> tuple[Architecture | None, int]:
        """Claim the first architecture that extends ``assigned``, in random order; also the ``steps`` that are left."""
        decisions = self.space.decisions
        while depth < len(decisions) and not self.space.is_active(decisions[depth], assigned):
            depth += 1
        if depth == len(decisions):
            architecture = Architecture.of(assigned)
            return (architecture if self._claim(architecture) else None), steps - 1
        for position in self._generator.permutation(len(decisions[depth].choices)):
            if steps == 0:
                break
            found, steps = self._walk({**assigned, decisions[depth].name: decisions[depth].choices[position]}, depth + 1, steps)
            if found is not None:
                return found, steps
        return None, steps

    def _number(self, architecture: Architecture) -> int:
        """64 bits that stand for the architecture in every spelling."""
        return int.from_bytes(hashlib.blake2b(self.rules.key(architecture).encode(), digest_size=8).digest(), "big")

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue exactly: JSON-able values, torch tensors and numpy arrays."""
        return {
            "version": VERSION,
            "controller": self.name,
            "generator": self._generator.bit_generator.state,
            "exhausted": self.exhausted,
            "standings": self._standings.to_json(),
            "diagnostics": dict(self.diagnostics),
            **self._table.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state of the same controller on the same space.

        Raises:
            StateError: the state is of another version or of another controller.
        """
        version = state.get("version", 1)
        if version != VERSION:
            raise StateError(f"The controller state has version {version}, but this Recsmith reads {VERSION}; start the search anew.")
        if state["controller"] != self.name:
            raise StateError(f"This state is of the controller '{state['controller']}', not '{self.name}'.")
        self._generator.bit_generator.state = state["generator"]
        self.exhausted = state["exhausted"]
        self._table.load_state_dict(state)
        self._n_told = self._table.count_told()
        self._standings = Standings.from_json(state["standings"])
        self.diagnostics = dict(state["diagnostics"])


def mutated(parent: Architecture, space: SearchSpace, generator: np.random.Generator) -> Architecture:
    """``parent`` with another choice for one of its decisions; what this makes active for the first time is random.

    A parent without any alternative comes back as it is.
    """
    open_to_change = [decision.name for decision in space.decisions if decision.name in parent and len(decision.choices) > 1]
    if not open_to_change:
        return parent
    changed = open_to_change[int(generator.integers(len(open_to_change)))]
    assigned: dict[str, Choice] = {}
    for decision in space.decisions:
        if not space.is_active(decision, assigned):
            continue
        choices = decision.choices
        if decision.name == changed:
            choices = tuple(choice for choice in choices if choice != parent[changed])
        elif decision.name in parent:
            choices = (parent[decision.name],)
        assigned[decision.name] = choices[int(generator.integers(len(choices)))] if len(choices) > 1 else choices[0]
    return Architecture.of(assigned)
