"""Measuring, for a search that is finished or still runs, which decisions mattered."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from gnn.space import SearchSpace
from searchworker.importance import EqualRewards, Importance, Method, TooFewTrials, importance
from webapp.models import Search
from webapp.selectors.tested import first_rung
from webapp.services.importance import search_importance_record

log = logging.getLogger(__name__)

MOST_TRIALS = 200
"""Newest trials that importance is read from: fANOVA's time grows with more than their number, and somebody waits for it."""
METHODS: tuple[Method, ...] = ("fanova", "ped_anova")


@dataclass(frozen=True)
class Measured:
    """Method -> decision -> share, and of how many trials; ``note`` says why there is none."""

    shares: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    trials: int = 0
    note: str = ""


def measured_importance(search: Search) -> Measured:
    """The importance of the decisions of a search; an error costs the figures and nothing else, and is logged."""
    space, trials = SearchSpace.from_json(search.space), first_rung(search, limit=MOST_TRIALS)
    try:
        found = {method: importance(space, trials, method) for method in METHODS}
    except Exception as error:
        log.exception("The importance of decisions could not be computed for %s", search)
        return Measured(note=f"It could not be computed: {type(error).__name__}: {error}")
    shares: dict[str, dict[str, float]] = {
        method: dict(result.shares) for method, result in found.items() if isinstance(result, Importance)
    }
    return Measured(shares, len(trials), "" if shares else _why_none(found["fanova"]))


def _why_none(result: Importance | TooFewTrials | EqualRewards) -> str:
    if isinstance(result, TooFewTrials):
        return f"It takes {result.needed} trials with a score, and there are {result.trials}."
    return "All trials are rewarded alike, or no decision tells them apart."


def measure_importance(search_id: int) -> None:
    """Measure and write down, for whoever asked."""
    search = Search.objects.get(pk=search_id)
    measured = measured_importance(search)
    search_importance_record(search_id=search_id, shares=measured.shares, trials=measured.trials, note=measured.note)
