"""What a search may want more of or less of."""

from __future__ import annotations

from gnn.plan import COST_NAMES

FAIRNESS = "fairness_gap"
LESS_IS_BETTER = (*COST_NAMES, "gini", "popularity", FAIRNESS)
DECADES = (*COST_NAMES, "popularity")
"""Measures that span decades: what counts is by which factor they grow."""


def stem(measure: str) -> str:
    """``ndcg`` of ``ndcg@20``."""
    return measure.partition("@")[0]


def direction(measure: str) -> int:
    """1 where more is better, -1 where less is."""
    return -1 if stem(measure) in LESS_IS_BETTER else 1


def spans_decades(measure: str) -> bool:
    return stem(measure) in DECADES
