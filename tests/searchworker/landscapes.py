"""Small spaces whose best architecture is known, with rewards as noisy and as oddly scaled as real ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gnn.space import Architecture, DecisionSpec, SearchSpace
from searchworker.controllers.base import Controller, Outcome, Proposal

LAYERED = SearchSpace(
    [
        DecisionSpec("dim", (16, 32, 64, 128)),
        DecisionSpec("layers", (1, 2, 3)),
        DecisionSpec("operator", ("plain", "gcn", "gat"), per="layers"),
        DecisionSpec("activation", ("relu", "tanh", "elu"), per="layers", when={"operator": ("gcn", "gat")}),
        DecisionSpec("rate", (0.001, 0.01, 0.1)),
    ]
)
"""Conditional and repeated decisions, 4 x 3 x (7 + 49 + 343) = 4,788 architectures."""

TINY = SearchSpace([DecisionSpec("layers", (1, 2)), DecisionSpec("operator", ("a", "b"), per="layers")])
"""Six architectures."""

SEVEN = SearchSpace([DecisionSpec(f"d{i}", (0, 1, 2, 3)) for i in range(7)])
"""Seven decisions of four choices, 16,384 architectures."""


@dataclass(frozen=True)
class Planted:
    """A score for each choice of SEVEN, an interaction of two decisions, and noise; about 0.2 +- 0.03."""

    scores: np.ndarray
    noise: float = 0.2

    @classmethod
    def of(cls, seed: int) -> Planted:
        return cls(np.random.default_rng(seed).normal(size=(7, 4)))

    def value(self, architecture: Architecture) -> float:
        """The reward without noise, in arbitrary units."""
        choices = [int(architecture[f"d{i}"]) for i in range(7)]
        return float(sum(self.scores[i, choice] for i, choice in enumerate(choices)) + (choices[0] == choices[1]))

    def reward(self, architecture: Architecture, generator: np.random.Generator) -> float:
        return 0.2 + 0.01 * (self.value(architecture) + self.noise * float(generator.normal()))


def told(proposal: Proposal, reward: float) -> Outcome:
    return Outcome(proposal.architecture, proposal.behaviour, reward)


def play(controller: Controller, landscape: Planted, trials: int, generator: np.random.Generator) -> list[float]:
    """Values of all architectures of a search with one worker, in the order they were tried."""
    values = []
    for _ in range(trials):
        (proposal,) = controller.ask(1)
        values.append(landscape.value(proposal.architecture))
        controller.tell([told(proposal, landscape.reward(proposal.architecture, generator))])
    return values
