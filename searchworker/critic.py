"""A model of what finished architectures were worth, which says of new ones how promising they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.special import ndtr

from searchworker.standing import Floats, Standings

Rows = np.ndarray[Any, np.dtype[np.int64]]

CAPACITY = 256
"""Latest architectures that the model is made of; a search may be longer, but its time and state per trial must not grow."""
LEAST = 8
"""Architectures below which the model says nothing."""
DECAY = 1.5
"""Two architectures without a decision in common correlate by exp(-1.5) = 0.22, those that differ in half of them by 0.47."""
NOISE = 0.1
"""Variance of the reward between two trainings, and of what the model cannot express, as a share of that between architectures."""
TINY = 1e-9


class Critic:
    """Gaussian process over rows of choices (see :class:`searchworker.encoding.SpaceEncoding`).

    The kernel is exp(-DECAY * share of the decisions that differ), the diffusion kernel on a grid of categories (Kondor and
    Lafferty 2002; COMBO, Oh et al. 2019) with one length for all decisions: a product over decisions, so interactions of
    every order are in it. Not making a decision counts as one more choice. Mean and amplitude are those of the
    standings; nothing else is fitted, for a search has dozens of outcomes, not thousands.
    """

    def __init__(self) -> None:
        self._finished: dict[int, tuple[tuple[int, ...], float, int]] = {}
        """Row, reward and rung by number of the architecture, the latest at the end."""

    def put(self, number: int, row: Sequence[int], reward: float, rung: int) -> None:
        """Take in an outcome, in place of the one there was of the same architecture."""
        self._finished.pop(number, None)
        self._finished[number] = tuple(row), reward, rung
        if len(self._finished) > CAPACITY:
            del self._finished[next(iter(self._finished))]

    def numbers(self) -> dict[tuple[int, ...], int]:
        """Numbers of the architectures it knows, by row."""
        return {row: number for number, (row, _, _) in self._finished.items()}

    @property
    def is_informed(self) -> bool:
        """Whether it knows enough to tell candidates apart."""
        return len(self._finished) >= LEAST

    def improvement(self, candidates: Rows, standings: Standings) -> Floats:
        """Expected improvement [M] of candidates [M, D] on the best standing there is (Jones et al. 1998, eq. 15).

        It is 0 for all of them while too little is known.
        """
        if not self.is_informed:
            return np.zeros(len(candidates))
        rows, rewards, rungs = (np.array(column) for column in zip(*self._finished.values(), strict=True))
        values = standings.of(rewards, rungs)
        values -= values.mean()
        factor = cholesky(_kernel(rows, rows) + NOISE * np.eye(len(rows)), lower=True)
        whitened = solve_triangular(factor, values, lower=True)
        projected = solve_triangular(factor, _kernel(rows, candidates), lower=True)
        # The most likely amplitude has a closed form (Rasmussen and Williams 2006, eq. 5.8 solved for it).
        amplitude = whitened @ whitened / len(rows)
        deviation = np.sqrt(amplitude * np.clip(1 - (projected**2).sum(0), 0, None)) + TINY
        gain = projected.T @ whitened - values.max()
        ratio = gain / deviation
        improvement: Floats = gain * ndtr(ratio) + deviation * np.exp(-(ratio**2) / 2) / np.sqrt(2 * np.pi)
        return improvement

    def state_dict(self) -> dict[str, Any]:
        finished = list(self._finished.values())
        return {
            "numbers": np.fromiter(self._finished, dtype=np.uint64, count=len(finished)),
            "rows": np.array([row for row, _, _ in finished], dtype=np.int16),
            "rewards": np.array([reward for _, reward, _ in finished], dtype=np.float64),
            "rungs": np.array([rung for _, _, rung in finished], dtype=np.uint8),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        rows = map(tuple, state["rows"].tolist())
        finished = zip(rows, state["rewards"].tolist(), state["rungs"].tolist(), strict=True)
        self._finished = dict(zip(state["numbers"].tolist(), finished, strict=True))


def _kernel(left: Rows, right: Rows) -> Floats:
    """Correlations [M, N] of rows [M, D] and [N, D]."""
    differing = (left[:, None] != right[None]).mean(2)
    correlations: Floats = np.exp(-DECAY * differing)
    return correlations
