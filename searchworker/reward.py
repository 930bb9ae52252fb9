"""From what happened to a trial to the number its controller is told; never from test data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gnn.metrics import ValidationScores

FAILURES = ("out_of_memory", "diverged")
SPREAD_OF_FEW = 0.1
"""Spread as a share of the median reward, where the completed rewards show none of their own."""
FEW = 4


def reward_of(scores: ValidationScores, objective: str) -> float:
    """The objective on the validation interactions, e.g. ``ndcg@20``.

    Raises:
        TypeError: ``scores`` are not validation scores; test scores in particular are refused.
        ValueError: the objective was not measured.
    """
    if not isinstance(scores, ValidationScores):
        raise TypeError(f"A reward is made of ValidationScores only, but got {type(scores).__name__}.")
    if objective not in scores.values:
        raise ValueError(f"The scores have no '{objective}', only {', '.join(scores.values)}.")
    return float(scores.values[objective])


def failure_reward(failure: str, completed: Sequence[float]) -> float | None:
    """The reward of an architecture that did not fit the memory or diverged: worse than all that completed.

    It is the lowest completed reward minus the spread between the quartiles, which bad outliers do not
    stretch; so it ranks last in any scale without drowning the differences between the others. With
    fewer than four completed, or all equal, the spread is a tenth of the median's size.

    Returns:
        None while nothing has completed: there is no scale yet, so nothing can be told of the failure.

    Raises:
        ValueError: other failures say nothing about the architecture and have no reward.
    """
    if failure not in FAILURES:
        raise ValueError(f"A failure of kind '{failure}' has no reward; only {', '.join(FAILURES)} do.")
    if not completed:
        return None
    low, median, high = np.percentile(completed, (25, 50, 75))
    spread = high - low if len(completed) >= FEW else 0.0
    # A metric that is 0 everywhere gives no scale either; any step down will do.
    return float(min(completed) - (spread or SPREAD_OF_FEW * abs(median) or SPREAD_OF_FEW))
