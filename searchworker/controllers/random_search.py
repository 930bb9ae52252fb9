"""Random search: the reference that a learning controller has to beat at the same budget."""

from __future__ import annotations

from typing import ClassVar

from searchworker.controllers.base import Controller, Outcome, Proposal


class RandomSearch(Controller):
    """Draws every active decision uniformly; rewards change nothing."""

    name: ClassVar[str] = "random"

    def _propose(self, n: int) -> list[Proposal]:
        return [Proposal(self._claim_random(), {}) for _ in range(n)]

    def _learn(self, outcome: Outcome) -> None:
        pass

    def marginals(self) -> dict[str, list[float]]:
        return {decision.name: [1 / len(decision.choices)] * len(decision.choices) for decision in self.space.decisions}
