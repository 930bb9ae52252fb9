"""Random search: the reference that a learning controller has to beat at the same budget."""

from __future__ import annotations

from typing import ClassVar

from gnn.space import Architecture
from searchworker.controllers.base import Controller, Outcome, Proposal


class RandomSearch(Controller):
    """Draws every active decision uniformly; rewards and earlier searches change nothing."""

    name: ClassVar[str] = "random"

    def _propose(self, n: int) -> list[Proposal]:
        proposals: list[Proposal] = []
        while len(proposals) < n and (architecture := self._claim_random()) is not None:
            proposals.append(Proposal(architecture, {}))
        return proposals

    def _learn(self, outcome: Outcome, number: int) -> None:
        pass

    def _warm(self, examples: list[tuple[Architecture, float]]) -> None:
        pass

    def marginals(self) -> dict[str, list[float]]:
        return {decision.name: [1 / len(decision.choices)] * len(decision.choices) for decision in self.space.decisions}
