"""A result by groups of users and items, as pages show it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from gnn.slices import Slice, Slices
from webapp.enums import RunState, SearchState
from webapp.models import Baseline, FinalistRun, Search, Trial
from webapp.selectors.searches import BASELINE_LABELS, objective_of


@dataclass(frozen=True)
class Sliced:
    """Slices of a model, and of the best baseline where it was judged on the same users."""

    label: str
    slices: Slices


def validation_slices(trial: Trial) -> Slices | None:
    """Of the trial's validation scores; None where they were not kept."""
    return Slices.from_json(trial.slices)


def tested_slices(trial: Trial, runs: Sequence[FinalistRun]) -> list[Sliced]:
    """Of a tested finalist, its seeds averaged, and of the best baseline on test; empty before the search has finished."""
    if trial.search.state != SearchState.FINISHED:
        return []
    kept = [Slices.from_json(run.test_slices) for run in runs if run.state == RunState.COMPLETED]
    own = averaged([slices for slices in kept if slices is not None])
    if own is None:
        return []
    found = [Sliced("", own)]
    best = _best_baseline(trial.search)
    theirs = None if best is None else Slices.from_json(best.test_slices)
    return found if best is None or theirs is None else [*found, Sliced(BASELINE_LABELS.get(best.name, best.name), theirs)]


def averaged(seeds: Sequence[Slices]) -> Slices | None:
    """Means over seeds of what was kept of each, which are of the same users; None without a seed.

    The standard errors are those of one seed: the mean over seeds is a little surer.
    """
    if not seeds:
        return None
    activity, popularity = ([_mean(parts) for parts in zip(*some, strict=True)] for some in (
        [seed.activity for seed in seeds], [seed.popularity for seed in seeds],
    ))  # fmt: skip
    errors = {name: statistics.fmean(seed.errors[name] for seed in seeds) for name in seeds[0].errors}
    return Slices(errors, activity, popularity)


def _mean(parts: Sequence[Slice]) -> Slice:
    first = parts[0]
    values = {
        name: (statistics.fmean(part.values[name][0] for part in parts), statistics.fmean(part.values[name][1] for part in parts))
        for name in first.values
    }
    return Slice(first.low, first.high, first.size, values)


def _best_baseline(search: Search) -> Baseline | None:
    objective = objective_of(search)
    baselines = Baseline.objects.filter(search=search, state=RunState.COMPLETED).defer("test_users")
    return max(baselines, key=lambda row: row.test_scores.get(objective, 0.0), default=None)
