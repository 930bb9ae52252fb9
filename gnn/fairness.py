"""Whether recommendations serve the many as well as the few who give most of the data."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

ACTIVE_SHARE = 0.05
"""Share of the users who are the most active."""


def active_users(users: Array, activity: Array) -> Array:
    """Which of ``users`` are the most active, at least one: bool [U]; of equally active ones, those with the lower code.

    Args:
        users: codes, int64 [U], at least one.
        activity: training interactions of every user, [n_users].
    """
    count = max(1, round(ACTIVE_SHARE * len(users)))
    active = np.zeros(len(users), dtype=bool)
    active[np.lexsort((users, -activity[users].astype(np.int64)))[:count]] = True
    return active


def fairness_gap(values: Array, users: Array, activity: Array) -> float:
    """User-oriented unfairness (Li et al. 2021, arXiv 2104.10671, definition 1): how far apart groups of users are served.

    The absolute difference between the mean of a metric over the most active users and that over the others;
    0 is fair, and so is a single user.

    Args:
        values: the metric for each user, [U].
        users, activity: see :func:`active_users`.
    """
    if len(users) < 2:
        return 0.0
    active = active_users(users, activity)
    return float(abs(values[active].mean(dtype=np.float64) - values[~active].mean(dtype=np.float64)))
