"""Regularised evolution (Real et al. 2019, "Regularized Evolution for Image Classifier Architecture Search")."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from gnn.space import PLAIN_RULES, Architecture, SearchSpace, SpaceRules
from searchworker.controllers.base import Controller, Outcome, Proposal


class Evolution(Controller):
    """Mutates the best of a few members of the population; whoever is oldest dies, however good.

    The population is the latest outcomes. Until it is full, architectures of earlier searches are tried
    and then random ones.
    """

    name: ClassVar[str] = "evolution"
    population: ClassVar[int] = 20
    """A fifth of the hundred trials of a usual search; the paper's 100 would leave none for evolving."""
    tournament: ClassVar[int] = 5
    """Members of which the best is the parent; the paper's share of the population."""

    def __init__(self, space: SearchSpace, seed: int, total: int, rules: SpaceRules = PLAIN_RULES) -> None:
        super().__init__(space, seed, total, rules)
        self._ancestors: list[Architecture] = []
        """Of earlier searches, still to be tried."""
        self._members: dict[int, Outcome] = {}
        """The population by number, oldest first."""

    def _propose(self, n: int) -> list[Proposal]:
        proposals: list[Proposal] = []
        while len(proposals) < n and (architecture := self._next()) is not None:
            proposals.append(Proposal(architecture, {}))
        return proposals

    def _next(self) -> Architecture | None:
        while self._ancestors:
            ancestor = self._ancestors.pop(0)
            if self._claim(ancestor):
                return ancestor
        if len(self._table) >= self.population and self._members:
            return self._claim_mutant(self._parent()) or self._claim_random()
        return self._claim_random()

    def _parent(self) -> Architecture:
        members = list(self._members.values())
        drawn = self._generator.choice(len(members), size=min(self.tournament, len(members)), replace=False)
        chosen: list[Outcome] = [members[i] for i in drawn]
        standings = self._standings.of(np.array([member.reward for member in chosen]), np.array([member.rung for member in chosen]))
        return chosen[int(standings.argmax())].architecture

    def _learn(self, outcome: Outcome, number: int) -> None:
        if outcome.rung and number not in self._members:
            return  # already dead
        self._members[number] = outcome
        if len(self._members) > self.population:
            del self._members[next(iter(self._members))]

    def _warm(self, examples: list[tuple[Architecture, float]]) -> None:
        self._ancestors = [architecture for architecture, _ in examples[: self.population]]

    def marginals(self) -> dict[str, list[float]]:
        """Shares of the choices in the population; uniform where no member makes the decision."""
        shares = {}
        for decision in self.space.decisions:
            made = [member.architecture[decision.name] for member in self._members.values() if decision.name in member.architecture]
            shares[decision.name] = [made.count(choice) / len(made) if made else 1 / len(decision.choices) for choice in decision.choices]
        return shares

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "ancestors": [ancestor.to_json() for ancestor in self._ancestors],
            "members": [[str(number), o.architecture.to_json(), o.reward, o.rung] for number, o in self._members.items()],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._ancestors = [Architecture.of(choices) for choices in state["ancestors"]]
        self._members = {
            int(number): Outcome(Architecture.of(choices), {}, reward, rung) for number, choices, reward, rung in state["members"]
        }
