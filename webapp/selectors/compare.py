"""Trials or searches side by side: where they differ, how they learned, and who wins for how many users."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnn.catalogue import CATALOGUE, LABELS
from gnn.errors import DataError
from gnn.protocol import Protocol
from gnn.significance import WinLoss, win_loss
from gnn.space import SearchSpace, choice_text
from webapp.enums import ArmName, RunState, SearchState
from webapp.models import FinalistRun, Search, Trial, TrialEpoch
from webapp.selectors.comparable import judged
from webapp.selectors.rounds import plan_of
from webapp.selectors.searches import objective_of
from webapp.selectors.trials import UNSCORED, decision_label

MOST_EPOCHS = 20_000
"""Points of learning curves that are read, of all trials together."""
MOST_POINTS = 100_000
"""Trials of a search whose best so far is read."""


@dataclass(frozen=True)
class DiffRow:
    """One setting of several things; an empty cell where it does not apply."""

    label: str
    cells: Sequence[str]

    @property
    def differs(self) -> bool:
        return len(set(self.cells)) > 1


@dataclass(frozen=True)
class Contest:
    """The first tested trial against another one, on the same test users."""

    first: Trial
    other: Trial
    result: WinLoss | None
    """None where they were not judged on the same users."""


@dataclass(frozen=True)
class Reached:
    """Whenever a search's best rose: what had been spent by then, and the best score."""

    epochs: Sequence[int]
    seconds: Sequence[float]
    best: Sequence[float]


def trials_compared(ids: Sequence[int]) -> list[Trial]:
    """The trials that exist, in the order asked for."""
    found = Trial.objects.select_related("search__dataset").defer("behaviour").in_bulk(ids)
    return [found[number] for number in ids if number in found]


def searches_compared(ids: Sequence[int]) -> list[Search]:
    found = Search.objects.select_related("dataset", "owner").defer("importance").in_bulk(ids)
    return [found[number] for number in ids if number in found]


def decision_diff(architectures: Sequence[Mapping[str, Any]]) -> list[DiffRow]:
    """Every decision that one of the architectures makes, in the order of the catalogue."""
    names = {name for architecture in architectures for name in architecture}
    place = {name: index for index, name in enumerate(CATALOGUE)}
    ordered = sorted(names, key=lambda name: (place[name.partition(".")[0]], name))
    return [DiffRow(decision_label(name), [_choice_words(architecture.get(name)) for architecture in architectures]) for name in ordered]


def _choice_words(choice: Any) -> str:
    return "" if choice is None else LABELS.get(str(choice), choice_text(choice))


def space_diff(searches: Sequence[Search]) -> list[DiffRow]:
    """What each space offers, by decision, in the order of the catalogue."""
    offered = [{spec.name: spec.choices for spec in SearchSpace.from_json(search.space).specs} for search in searches]
    names = [name for name in CATALOGUE if any(name in one for one in offered)]
    return [DiffRow(decision_label(name), [", ".join(map(_choice_words, one.get(name, ()))) for one in offered]) for name in names]


def curves_of(trials: Sequence[Trial], metric: str) -> dict[int, tuple[list[int], list[float]]]:
    """Trial id -> epochs and the metric after them; a trial whose search reports another K has none."""
    curves: dict[int, tuple[list[int], list[float]]] = {trial.pk: ([], []) for trial in trials}
    rows = TrialEpoch.objects.filter(trial__in=trials).order_by("trial_id", "epoch").values_list("trial_id", "epoch", f"scores__{metric}")
    for trial_id, epoch, value in rows[:MOST_EPOCHS]:
        if value is not None:
            curves[trial_id][0].append(epoch)
            curves[trial_id][1].append(value)
    return curves


def contests(trials: Sequence[Trial]) -> list[Contest]:
    """The first trial that was tested against every other that was; values of single users are kept for finalists alone."""
    runs: dict[int, list[Any]] = defaultdict(list)
    finished = [trial for trial in trials if trial.search.state == SearchState.FINISHED]
    stored = FinalistRun.objects.filter(trial__in=finished, state=RunState.COMPLETED, test_users__isnull=False).order_by("id")
    for trial_id, values in stored.values_list("trial_id", "test_users"):
        runs[trial_id].append(np.frombuffer(bytes(values or b""), dtype="<f4").astype(np.float64))
    users = {trial_id: np.mean(seeds, axis=0) for trial_id, seeds in runs.items()}
    tested = [trial for trial in trials if trial.pk in users]
    return [Contest(tested[0], other, _won(tested[0], other, users)) for other in tested[1:]]


def means_on_test(trials: Sequence[Trial], metric: str) -> dict[int, tuple[float, float, int]]:
    """Trial id -> mean and standard deviation on test over its seeds, and their number; of finalists of finished searches alone."""
    finished = [trial for trial in trials if trial.search.state == SearchState.FINISHED]
    scores: dict[int, list[float]] = defaultdict(list)
    rows = FinalistRun.objects.filter(trial__in=finished, state=RunState.COMPLETED).order_by("id")
    for trial_id, value in rows.values_list("trial_id", f"test_scores__{metric}"):
        if value is not None:
            scores[trial_id].append(value)
    return {
        trial_id: (statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0, len(values))
        for trial_id, values in scores.items()
    }


def _won(first: Trial, other: Trial, users: Mapping[int, Any]) -> WinLoss | None:
    alike = judged(first.search) == judged(other.search) and objective_of(first.search) == objective_of(other.search)
    try:
        return win_loss(users[first.pk], users[other.pk]) if alike else None
    except DataError:  # users who have nothing to find may have gone between versions of Recsmith
        return None


def best_trials(searches: Sequence[Search]) -> dict[int, Trial]:
    """Search id -> its trial with the best reward."""
    scored = Trial.objects.filter(search__in=searches, reward__isnull=False).exclude(state__in=UNSCORED)
    # Sorted without the rest of each row, of which a search has thousands.
    best = list(scored.order_by("search_id", "-reward", "number").distinct("search_id").values_list("pk", flat=True))
    trials = Trial.objects.filter(pk__in=best).select_related("search__dataset").defer("behaviour")
    return {trial.search_id: trial for trial in trials}


def best_so_far(search: Search) -> Reached:
    """The best score of the arm that the search is named for, over what that arm had spent; by the newest outcome of each trial."""
    metric = objective_of(search)
    rows = Trial.objects.filter(search=search, arm=ArmName.CONTROLLER, told_order__isnull=False).order_by("told_order")
    spent, took, best = 0, 0.0, float("-inf")
    points: list[tuple[int, float, float]] = []
    for state, trained, seconds, value in rows.values_list("state", "epochs", "train_seconds", f"scores__{metric}")[:MOST_POINTS]:
        spent, took = spent + trained, took + (seconds or 0.0)
        if state not in UNSCORED and value is not None and value > best:
            best = value
            points.append((spent, took, best))
    if points and points[-1][0] < spent:
        points.append((spent, took, best))  # how long it searched on in vain
    epochs, times, scores = zip(*points, strict=True) if points else ((), (), ())
    return Reached(epochs, times, scores)


def differences(searches: Iterable[Search]) -> set[str]:
    """What keeps scores of these searches from being comparable: ``dataset``, ``protocol``, ``metric``."""
    some = list(searches)
    found = set()
    if len({search.dataset_id for search in some}) > 1:
        found.add("dataset")
    if len({(how.split, how.settings, how.reward) for how in map(judged, some)}) > 1:
        found.add("protocol")
    if len({objective_of(search) for search in some}) > 1:
        found.add("metric")
    return found


def settings_diff(searches: Sequence[Search]) -> list[tuple[str, Sequence[Any]]]:
    """What was frozen when each search started: its protocol and its plan, by the names of their settings."""
    protocols = [Protocol.from_json(search.protocol).to_json() for search in searches]
    plans = [plan_of(search).to_json() for search in searches]
    rows: list[tuple[str, Sequence[Any]]] = [
        ("controller", [search.controller for search in searches]),
        ("planned_trials", [search.planned_trials for search in searches]),
    ]
    rows += [("seed", [search.seed for search in searches])]
    for documents in (protocols, plans):
        rows += [(name, [document[name] for document in documents]) for name in documents[0]]
    return rows
