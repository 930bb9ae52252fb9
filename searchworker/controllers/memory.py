"""Outcomes that a learning controller keeps to learn from again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from searchworker.standing import Standings


@dataclass(frozen=True, eq=False)
class Entry:
    row: Tensor
    """Positions of the choices, int64 [D]."""
    behaviour: Tensor
    """Log-probability of each choice when it was drawn, [D]; 0 where the decision is not active."""
    reward: float
    rung: int


@dataclass(frozen=True, eq=False)
class Batch:
    """M outcomes to learn from: the latest, then those of the elite that are not among them."""

    rows: Tensor
    """int64 [M, D]."""
    behaviours: Tensor
    """[M, D]."""
    standings: Tensor
    """[M]."""
    elite: Tensor
    """Booleans [M]: kept for being good, so no fair sample of what the policy draws."""


class Memory:
    """Up to ``capacity`` outcomes by number of the architecture, the one put last at the end."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._entries: dict[int, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, number: int, entry: Entry) -> None:
        """Add an outcome, or take it for the one there was of the same architecture; the oldest goes where there is no room."""
        self._entries.pop(number, None)
        self._entries[number] = entry
        if len(self._entries) > self.capacity:
            del self._entries[next(iter(self._entries))]

    def put_best(self, number: int, entry: Entry, standings: Standings) -> None:
        """The same, but the worst goes where there is no room."""
        self._entries.pop(number, None)
        self._entries[number] = entry
        if len(self._entries) > self.capacity:
            numbers = list(self._entries)
            worst = int(standings.of(*_rewards(list(self._entries.values()))).argmin())
            del self._entries[numbers[worst]]

    def with_elite(self, elite: Memory, standings: Standings) -> Batch:
        others = [entry for number, entry in elite._entries.items() if number not in self._entries]
        entries = [*self._entries.values(), *others]
        return Batch(
            rows=torch.stack([entry.row for entry in entries]),
            behaviours=torch.stack([entry.behaviour for entry in entries]),
            standings=torch.from_numpy(standings.of(*_rewards(entries))).float(),
            elite=torch.arange(len(entries)) >= len(self._entries),
        )

    def state_dict(self) -> dict[str, Any]:
        entries = list(self._entries.values())
        rewards, rungs = _rewards(entries)
        return {
            "numbers": np.fromiter(self._entries, dtype=np.uint64, count=len(entries)),
            "rows": torch.stack([entry.row for entry in entries]).to(torch.int16) if entries else torch.zeros(0, 0, dtype=torch.int16),
            "behaviours": torch.stack([entry.behaviour for entry in entries]) if entries else torch.zeros(0, 0),
            "rewards": rewards,
            "rungs": rungs,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        entries = zip(state["rows"].long(), state["behaviours"].clone(), state["rewards"].tolist(), state["rungs"].tolist(), strict=True)
        self._entries = {number: Entry(*values) for number, values in zip(state["numbers"].tolist(), entries, strict=True)}


def _rewards(entries: list[Entry]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Rewards and rungs of entries."""
    return (
        np.array([entry.reward for entry in entries], dtype=np.float64),
        np.array([entry.rung for entry in entries], dtype=np.uint8),
    )
