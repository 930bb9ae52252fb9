"""From what happened to a trial to the number its controller is told; never from test data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnn.fairness import fairness_gap
from gnn.measures import FAIRNESS, direction, spans_decades, stem
from gnn.metrics import ValidationScores
from gnn.plan import COST_NAMES, Constraints, SearchPlan, Term

FAILURES = ("out_of_memory", "diverged", "time_limit")
SPREAD_OF_FEW = 0.1
"""Spread as a share of the median reward, where the completed rewards show none of their own."""
FEW = 4
LEAST = 1e-3
"""What a measure that spans decades counts as at least: a microsecond of latency has a logarithm, none has not."""


@dataclass(frozen=True)
class Measures:
    """Everything a trial may be rewarded for: what :func:`validation_measures` gives, and costs by name."""

    values: Mapping[str, float]


def validation_measures(scores: ValidationScores, objective: str, activity: np.ndarray[Any, np.dtype[Any]]) -> dict[str, float]:
    """Validation metrics, and for each K how unequally the objective's metric is shared out.

    Args:
        objective: e.g. ``ndcg@20``; ``fairness_gap@10`` is then that of ``ndcg@10``.
        activity: training interactions of every user, [n_users].

    Raises:
        TypeError: ``scores`` are not validation scores; test scores in particular are refused.
    """
    if not isinstance(scores, ValidationScores):
        raise TypeError(f"A reward is made of ValidationScores only, but got {type(scores).__name__}.")
    values = dict(scores.values)
    for name, per_user in scores.per_user.items():
        if stem(name) == stem(objective):
            values[f"{FAIRNESS}@{name.partition('@')[2]}"] = fairness_gap(per_user, scores.users, activity)
    return values


def plan_reward(measures: Measures, plan: SearchPlan, objective: str) -> float:
    """What the controller is told under the objectives and constraints of a plan: value - W * penalty.

    ``value`` is the sum of weight * measure over what more of is better, minus weight * measure over fairness gap and
    Gini index, minus weight * log10(measure) over parameters, milliseconds, seconds and popularity: there a weight is
    what a factor of ten costs. ``penalty`` is the sum of 1 - limit / measured over the limits exceeded, so that twice the limit costs
    0.5 and no excess costs more than 1; W, the sum of all weights, keeps it in proportion. A plan without objectives
    has the protocol's, with weight 1.

    Raises:
        ValueError: the plan wants what was not measured.
    """
    terms = plan.objectives or (Term(measure=objective, weight=1),)
    value = sum(term.weight * direction(term.measure) * _scaled(term.measure, measures) for term in terms)
    return value - sum(term.weight for term in terms) * penalty(measures, plan.constraints)


def penalty(measures: Measures, constraints: Constraints) -> float:
    """How far limits are exceeded, from 0 where all are met; each adds less than 1."""
    total = 0.0
    for name in COST_NAMES:
        limit = getattr(constraints, f"max_{name}")
        if limit is not None and (measured := _measured(name, measures)) > limit:
            total += 1 - limit / measured
    return total


def _scaled(name: str, measures: Measures) -> float:
    value = _measured(name, measures)
    return math.log10(max(value, LEAST)) if spans_decades(name) else value


def _measured(name: str, measures: Measures) -> float:
    if name not in measures.values:
        raise ValueError(f"'{name}' was not measured, only {', '.join(measures.values)}.")
    return float(measures.values[name])


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
