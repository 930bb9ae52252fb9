"""How good a reward is beside the others of its rung, on one scale for all rungs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]

EPSILON = 1e-8
REWARD_BOUND = 3.0
"""Standard deviations at which one reward stops counting more."""


class RunningMoments:
    """Mean and standard deviation of all values so far (Welford), so that their scale does not matter."""

    def __init__(self, count: int = 0, mean: float = 0.0, squares: float = 0.0) -> None:
        self.count = count
        self.mean = mean
        self._squares = squares

    def update(self, value: float) -> None:
        self.count += 1
        step = value - self.mean
        self.mean += step / self.count
        self._squares += step * (value - self.mean)

    @property
    def std(self) -> float:
        return math.sqrt(self._squares / self.count) if self.count > 1 else 0.0

    def standardised(self, values: Floats) -> Floats:
        """Values in deviations from the mean of all, so that one outlier counts at most ``REWARD_BOUND``."""
        return np.clip((values - self.mean) / (self.std + EPSILON), -REWARD_BOUND, REWARD_BOUND)

    def to_json(self) -> list[float]:
        return [self.count, self.mean, self._squares]

    @classmethod
    def from_json(cls, document: list[float]) -> RunningMoments:
        count, mean, squares = document
        return cls(int(count), mean, squares)


class Standings:
    """Rewards of architectures at different rungs, made comparable.

    A reward is only compared with those of its own rung: it is standardised against their moments. Who reaches a rung was
    selected, though, and being below average there is no shame. So the group that reached a rung keeps the mean
    and the spread of the standings that the same group had one rung below.
    """

    def __init__(self) -> None:
        self._rewards: list[RunningMoments] = []
        """Of the rewards at each rung."""
        self._selected: list[RunningMoments] = []
        """Of the standings, one rung below, of those that reached each rung."""

    def update(self, rung: int, reward: float, below: float | None) -> None:
        """Take in a reward; ``below`` is the same architecture's reward one rung lower, None at rung 0."""
        while len(self._rewards) <= rung:
            self._rewards.append(RunningMoments())
            self._selected.append(RunningMoments())
        if below is not None:
            self._selected[rung].update(float(self.of(np.array([below]), np.array([rung - 1]))[0]))
        self._rewards[rung].update(reward)

    def of(self, rewards: Floats, rungs: np.ndarray[Any, Any]) -> Floats:
        """Standings [B] of rewards [B] told at ``rungs`` [B]; 0 is the average of rung 0, and 1 its deviation."""
        standings = np.zeros(len(rewards))
        for rung in np.unique(rungs).tolist():
            here = rungs == rung
            standings[here] = self._rewards[rung].standardised(rewards[here])
            if rung:
                standings[here] = self._selected[rung].mean + self._selected[rung].std * standings[here]
        return standings

    def to_json(self) -> list[list[list[float]]]:
        return [[moments.to_json() for moments in row] for row in (self._rewards, self._selected)]

    @classmethod
    def from_json(cls, document: list[list[list[float]]]) -> Standings:
        standings = cls()
        standings._rewards, standings._selected = ([RunningMoments.from_json(row) for row in rows] for rows in document)
        return standings
