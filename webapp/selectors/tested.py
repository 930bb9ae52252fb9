"""What a search has tested, user by user; read when it finishes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnn.space import Architecture
from webapp.enums import RunState
from webapp.models import Baseline, FinalistRun, Search, TrialRung
from webapp.selectors.rounds import ranking
from webapp.selectors.searches import BASELINE_LABELS

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, eq=False)
class Tested:
    """A finalist or a baseline with the search's metric for each test user, the mean over its seeds, [users]."""

    label: str
    users: Array
    seeds: int = 1
    number: int | None = None
    """Of the trial; None for a baseline."""
    arm: str = ""
    """Who proposed it."""

    @property
    def score(self) -> float:
        return float(self.users.mean())


def tested_finalists(search: Search) -> list[Tested]:
    """Finalists with at least one completed seed, in the order they were picked by: picking by test would report a lucky number."""
    runs = FinalistRun.objects.filter(search=search, state=RunState.COMPLETED, test_users__isnull=False).select_related("trial")
    by_trial: dict[int, list[FinalistRun]] = {}
    for run in runs.order_by(*ranking(search, of="trial__"), "id"):
        by_trial.setdefault(run.trial.number, []).append(run)
    return [
        Tested(
            label=f"trial {number}",
            users=np.mean([_values(run.test_users) for run in some], axis=0),
            seeds=len(some),
            number=number,
            arm=some[0].trial.arm,
        )
        for number, some in by_trial.items()
    ]


def tested_baselines(search: Search) -> list[Tested]:
    rows = Baseline.objects.filter(search=search, state=RunState.COMPLETED, test_users__isnull=False).order_by("id")
    return [Tested(BASELINE_LABELS.get(row.name, row.name), _values(row.test_users)) for row in rows]


def first_rung(search: Search, *, limit: int) -> list[tuple[Architecture, float]]:
    """The newest architectures with their rewards at the end of the first rung, which every scored trial had the same chance to reach."""
    rows = TrialRung.objects.filter(search=search, rung=0, trial__same_as=None).order_by("-trial__number")[:limit]
    return [(Architecture.of(architecture), reward) for architecture, reward in rows.values_list("trial__architecture", "reward")]


def _values(stored: Any) -> Array:
    return np.frombuffer(bytes(stored), dtype="<f4").astype(np.float64)


def best_first(models: Sequence[Tested]) -> list[Tested]:
    """By test score; only for what nothing is chosen from."""
    return sorted(models, key=lambda model: -model.score)
