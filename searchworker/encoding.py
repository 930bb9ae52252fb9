"""Architectures as rows of choice numbers, which is what a policy network reads and writes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from gnn.space import Architecture, SearchSpace

Booleans = np.ndarray[Any, np.dtype[np.bool_]]

INACTIVE = -1


class SpaceEncoding:
    """Integer tables of a space with D expanded decisions of at most C choices.

    A *row* has one number per decision: the position of its choice, or :data:`INACTIVE`. A *slot* numbers
    a choice across the whole space; the layers of one spec share their slots (``operator.1`` and
    ``operator.2`` both say ``gcn`` with the same slot), so what is learned of a choice carries over.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.decisions = space.decisions
        self.width = max(len(decision.choices) for decision in self.decisions)
        self.choices = torch.zeros(len(self.decisions), self.width, dtype=torch.long)
        """Slot of each choice [D, C]; slot 0 means "nothing chosen yet" and pads."""
        self.offered = torch.zeros(len(self.decisions), self.width, dtype=torch.bool)
        """Whether the decision has that many choices [D, C]."""
        first_slot: dict[str, int] = {}
        self.slots = 1
        for i, decision in enumerate(self.decisions):
            spec = decision.name.partition(".")[0]
            if spec not in first_slot:
                first_slot[spec] = self.slots
                self.slots += len(decision.choices)
            self.choices[i, : len(decision.choices)] = first_slot[spec] + torch.arange(len(decision.choices))
            self.offered[i, : len(decision.choices)] = True
        self.choices_of = [self.choices[i, : len(decision.choices)].numpy() for i, decision in enumerate(self.decisions)]
        """Slots of the choices of each decision, D arrays."""
        self.first_choice = torch.tensor([0, *(len(choices) for choices in self.choices_of[:-1])]).cumsum(0)
        """Where the choices of each decision begin among those of all [D]."""
        position = {decision.name: i for i, decision in enumerate(self.decisions)}
        self._conditions = [
            [(position[parent], self._allowed(position[parent], allowed)) for parent, allowed in decision.when]
            for decision in self.decisions
        ]
        self._position_of = [{choice: i for i, choice in enumerate(decision.choices)} for decision in self.decisions]

    def _allowed(self, parent: int, allowed: Sequence[object]) -> Booleans:
        # One more entry than choices: INACTIVE (-1) indexes the last one, which is never allowed.
        table = np.zeros(self.width + 1, dtype=np.bool_)
        for i, choice in enumerate(self.decisions[parent].choices):
            table[i] = choice in allowed
        return table

    def active(self, decision: int, rows: np.ndarray[Any, np.dtype[np.int64]]) -> Booleans:
        """Which of ``rows`` [B, D] make ``decision`` apply, as booleans [B]; only earlier decisions are read."""
        active = np.ones(len(rows), dtype=np.bool_)
        for parent, allowed in self._conditions[decision]:
            active &= allowed[rows[:, parent]]
        return active

    def row(self, architecture: Architecture) -> list[int]:
        """The row of an architecture; a KeyError means that it is not of this space."""
        return [
            table[architecture[decision.name]] if decision.name in architecture else INACTIVE
            for decision, table in zip(self.decisions, self._position_of, strict=True)
        ]

    def architecture(self, row: Sequence[int]) -> Architecture:
        """The architecture that a row describes."""
        return Architecture(
            tuple(
                (decision.name, decision.choices[choice])
                for decision, choice in zip(self.decisions, row, strict=True)
                if choice != INACTIVE
            )
        )


@lru_cache(maxsize=16)
def space_encoding(space: SearchSpace) -> SpaceEncoding:
    """The tables of a space; a controller is made anew for every round of its search, and the tables never change."""
    return SpaceEncoding(space)
