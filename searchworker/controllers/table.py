"""What a controller knows of every architecture it proposed or saw."""

from __future__ import annotations

from typing import Any

import numpy as np

PAGE = 1024
"""Entries stored together; a full page changes only when one of its architectures is told."""


class Table:
    """Rungs told and the latest reward of each architecture by its number (64 bits), in the order they came.

    It is kept as the arrays that are stored, 17 bytes for each: a controller is read and written at every round of a search,
    and to turn ten thousand entries into Python objects and back would take longer than anything else in it.
    """

    def __init__(self) -> None:
        self._numbers = np.zeros(0, dtype=np.uint64)
        self._rungs = np.zeros(0, dtype=np.uint8)
        self._rewards = np.zeros(0, dtype=np.float64)

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, number: int) -> bool:
        return self._position(number) is not None

    def _position(self, number: int) -> int | None:
        (found,) = np.nonzero(self._numbers == np.uint64(number))
        return int(found[0]) if len(found) else None

    def add(self, number: int) -> None:
        """Enter an architecture that is not in the table, of which nothing was told."""
        self._numbers = np.append(self._numbers, np.uint64(number))
        self._rungs = np.append(self._rungs, np.uint8(0))
        self._rewards = np.append(self._rewards, 0.0)

    def tell(self, number: int, rungs: int, reward: float) -> None:
        """Set what was told of an architecture, which is entered if it is new."""
        position = self._position(number)
        if position is None:
            self.add(number)
            position = len(self) - 1
        self._rungs[position], self._rewards[position] = rungs, reward

    def told(self, number: int) -> tuple[int, float]:
        """Rungs told of an architecture and its latest reward; (0, 0) if it is not in the table."""
        position = self._position(number)
        return (0, 0.0) if position is None else (int(self._rungs[position]), float(self._rewards[position]))

    def count_told(self) -> int:
        """How many were told at least once."""
        return int(np.count_nonzero(self._rungs))

    def state_dict(self) -> dict[str, Any]:
        """The table in pages, as entries of the controller's state."""
        columns: dict[str, np.ndarray[Any, Any]] = {"numbers": self._numbers, "rungs": self._rungs, "rewards": self._rewards}
        return {
            f"table.{page}": {name: column[page * PAGE : (page + 1) * PAGE].copy() for name, column in columns.items()}
            for page in range(-(-len(self) // PAGE))
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Read the pages among the entries of the controller's state."""
        count = sum(name.startswith("table.") for name in state)
        if count:
            pages: list[dict[str, Any]] = [state[f"table.{page}"] for page in range(count)]
            self._numbers, self._rungs, self._rewards = (
                np.concatenate([page[name] for page in pages]) for name in ("numbers", "rungs", "rewards")
            )
