"""What pages read about the trials of a search; every answer is bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Case, Count, F, OrderBy, Q, QuerySet, When

from gnn.catalogue import CATALOGUE, LABELS, describe
from gnn.space import Architecture, choice_text
from webapp.enums import RunState, SearchState
from webapp.models import FinalistRun, Search, Trial, TrialEpoch
from webapp.selectors.searches import mean_and_sd

PAGE_SIZES = (25, 50, 100)
CURVE_EPOCHS = 20_000
UNSCORED = (RunState.FAILED, RunState.STOPPED)
"""A failed trial's reward is a penalty told to the controller, not a score."""

SORTS: dict[str, tuple[OrderBy | str, ...]] = {
    "-number": ("-number",),
    "number": ("number",),
    "-reward": (F("shown").desc(nulls_last=True), "number"),
    "reward": (F("shown").asc(nulls_last=True), "number"),
    "state": ("state", "-number"),
    "-state": ("-state", "-number"),
    "-seconds": (F("train_seconds").desc(nulls_last=True), "number"),
    "seconds": (F("train_seconds").asc(nulls_last=True), "number"),
}
"""Sort key in the URL -> ordering; a leading minus means largest first."""


@dataclass(frozen=True)
class TrialRow:
    trial: Trial
    description: str
    score: float | None


@dataclass(frozen=True)
class TrialsPage:
    page: Page[Any]
    rows: Sequence[TrialRow]
    counts: dict[str, int]
    sort: str
    state: str
    size: int


def trials_listed(search: Search, *, state: str = "", arm: str = "") -> QuerySet[Any]:
    """Trials of a search; ``shown`` of each is its score, None where it has none."""
    trials = Trial.objects.filter(search=search).defer("behaviour")
    if state:
        trials = trials.filter(state=state)
    if arm:
        trials = trials.filter(arm=arm)
    return trials.annotate(shown=Case(When(~Q(state__in=UNSCORED), then="reward")))


def trials_page(search: Search, *, state: str = "", sort: str = "-number", page: int | str = 1, size: int | str = 25) -> TrialsPage:
    """One page of trials; an unknown state, sort or size falls back to the default."""
    sort = sort if sort in SORTS else "-number"
    state = state if state in RunState.values else ""
    size = int(size) if str(size).isdecimal() and int(size) in PAGE_SIZES else PAGE_SIZES[0]
    counts = dict(Trial.objects.filter(search=search).values_list("state").annotate(Count("id")).order_by())
    paginator = Paginator(trials_listed(search, state=state).order_by(*SORTS[sort]), size)
    # The counts are already here: no second COUNT.
    paginator.__dict__["count"] = counts.get(state, 0) if state else sum(counts.values())
    found = paginator.get_page(page)
    rows = [TrialRow(trial, describe(Architecture.of(trial.architecture)), trial.shown) for trial in found]
    return TrialsPage(page=found, rows=rows, counts=counts, sort=sort, state=state, size=size)


def trial_to_vary(search: Search, number: str) -> Trial | None:
    """The trial of that number, or the newest where ``number`` is none; for its architecture alone."""
    trials = Trial.objects.filter(search=search).order_by("-number").only("number", "architecture", "search")
    if number.isascii() and number.isdecimal() and len(number) < 10:
        trials = trials.filter(number=int(number))
    return trials.first()


def trial_curve(trial: Trial, *, after: int = 0) -> list[TrialEpoch]:
    """Epochs after ``after``, in order."""
    return list(epochs_listed(trial).filter(epoch__gt=after)[:CURVE_EPOCHS])


def epochs_listed(trial: Trial) -> QuerySet[TrialEpoch]:
    """The learning curve of a trial, in order."""
    return TrialEpoch.objects.filter(trial=trial).order_by("epoch")


def trial_latest(trial: Trial, metric: str) -> float | None:
    """The metric at the newest epoch of a trial that still runs."""
    if trial.state != RunState.RUNNING:
        return None
    scores = TrialEpoch.objects.filter(trial=trial).order_by("-epoch").values_list("scores", flat=True).first()
    return None if scores is None else scores.get(metric)


def trial_test_scores(trial: Trial) -> tuple[list[FinalistRun], dict[str, tuple[float, float]] | None]:
    """The seeds of a finalist, and its test scores once the search has finished."""
    runs = list(FinalistRun.objects.filter(trial=trial).defer("test_users").order_by("id"))
    done = [run for run in runs if run.state == RunState.COMPLETED]
    shown = trial.search.state == SearchState.FINISHED and done
    return runs, mean_and_sd([run.test_scores for run in done]) if shown else None


def decision_rows(architecture: Architecture) -> list[tuple[str, str]]:
    """Every decision of the architecture as (label, choice), in words."""
    # The database keeps JSON without its order, so the catalogue gives it again.
    rows = []
    for entry in CATALOGUE.values():
        for name, choice in sorted(architecture.choices):
            if name.partition(".")[0] == entry.name:
                rows.append((decision_label(name), LABELS.get(str(choice), choice_text(choice))))
    return rows


def decision_label(name: str) -> str:
    """``operator.2`` as people write it: its label in the catalogue, and the layer."""
    base, _, layer = name.partition(".")
    label = CATALOGUE[base].label
    return f"{label}, layer {layer}" if layer else label
