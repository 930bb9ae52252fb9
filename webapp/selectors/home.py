from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Avg, Count, F, Max, RowRange, Value, Window
from django.db.models.functions import Coalesce
from django.utils import timezone

from webapp.enums import DatasetState, RunState, SearchState
from webapp.models import Arm, Dataset, Search, Trial
from webapp.queue import TRIALS_QUEUE
from webapp.selectors.annotations import annotated
from webapp.selectors.budgets import BudgetLine, budget_lines, seconds_left
from webapp.selectors.models import ModelRow, model_rows, models_listed
from webapp.selectors.samples import MOVIELENS_FILE, MOVIELENS_NAME, samples
from webapp.selectors.searches import Progress, SearchRow, objective_of, planned_total, search_rows
from webapp.selectors.workers import WorkerRow, worker_rows

LIST_LENGTH = 6
UNSCORED = (RunState.FAILED, RunState.STOPPED)
"""A failed trial's reward is a penalty, not a score."""


@dataclass(frozen=True)
class RunningSearch:
    """A search on its way."""

    search: Search
    progress: Progress
    objective: str
    improvements: Sequence[tuple[int, float]]
    """Number and score of every trial that was better than all before it."""
    budgets: Sequence[BudgetLine]
    """Beside its trials, which ``progress`` tells."""
    seconds_left: float | None


@dataclass(frozen=True)
class WorkerCounts:
    """Of those that were heard of lately."""

    alive: int
    working: int
    free: int
    """Without a task, and neither drained nor to be."""
    training: int
    """Take trials."""


@dataclass(frozen=True)
class Home:
    """What the first page shows."""

    running: Sequence[RunningSearch]
    recent: Sequence[SearchRow]
    datasets: Sequence[Dataset]
    models: Sequence[ModelRow]
    has_ready_dataset: bool
    workers: WorkerCounts
    sample_message: str
    """Why MovieLens-100K could not be fetched or read, if that was asked for."""


def home_overview() -> Home:
    current = (SearchState.RUNNING, SearchState.FINISHING, SearchState.PAUSED)
    searches = Search.objects.select_related("dataset").defer("space").order_by("-id")
    ended = annotated(searches.exclude(state__in=current), tag="", archived=False)
    datasets = annotated(Dataset.objects.defer("profile", "mapping").order_by("-id"), tag="", archived=False)
    models = annotated(models_listed(), tag="", archived=False).order_by("-id")
    failed = samples(MOVIELENS_NAME, MOVIELENS_FILE).filter(state=DatasetState.INVALID)
    return Home(
        running=_running(list(searches.filter(state__in=current)[:LIST_LENGTH])),
        recent=search_rows(list(ended[:LIST_LENGTH])),
        datasets=list(datasets[:LIST_LENGTH]),
        models=model_rows(list(models[:LIST_LENGTH])),
        has_ready_dataset=Dataset.objects.filter(state=DatasetState.READY).exists(),
        workers=_counted(worker_rows()),
        sample_message=failed.values_list("message", flat=True).first() or "",
    )


def _counted(rows: Sequence[WorkerRow]) -> WorkerCounts:
    alive = [row for row in rows if row.alive]
    return WorkerCounts(
        alive=len(alive),
        working=sum(bool(row.tasks) for row in alive),
        free=sum(not row.tasks and not row.worker.drain for row in alive),
        training=sum(TRIALS_QUEUE in row.worker.queues and not row.worker.drain for row in alive),
    )


def _running(searches: Sequence[Search]) -> list[RunningSearch]:
    """Three queries for all of them."""
    states: dict[int, dict[str, int]] = defaultdict(dict)
    seconds: dict[int, float] = {}
    counted = Trial.objects.filter(search__in=searches).values("search_id", "state")
    for row in counted.annotate(trials=Count("id"), seconds=Avg("train_seconds")).order_by():
        states[row["search_id"]][row["state"]] = row["trials"]
        if row["state"] == RunState.COMPLETED and row["seconds"] is not None:
            seconds[row["search_id"]] = row["seconds"]
    arms = defaultdict(list)
    for arm in Arm.objects.filter(search__in=searches).order_by("id"):
        arms[arm.search_id].append(arm)
    better = _improvements(searches)
    rows = []
    for search in searches:
        progress = _progress(search, states[search.pk], seconds.get(search.pk))
        lines = [line for line in budget_lines(search, progress, arms[search.pk]) if line.name != "trials"]
        left = seconds_left(search, progress, arms[search.pk])
        rows.append(RunningSearch(search, progress, objective_of(search), better[search.pk], lines, left))
    return rows


def _progress(search: Search, by_state: dict[str, int], seconds: float | None) -> Progress:
    """What ``selectors.searches.progress`` says of one search, but for its best trial, baselines and finalists."""
    planned = planned_total(search)
    elapsed = (timezone.now() - search.created_at).total_seconds()
    progress = Progress(search.state, planned, by_state, None, (), 0, 0, elapsed, None)
    if search.state != SearchState.RUNNING or seconds is None:
        return progress
    eta = max(0, planned - progress.done) * seconds / max(1, progress.running)
    return Progress(search.state, planned, by_state, None, (), 0, 0, elapsed, eta)


def _improvements(searches: Sequence[Search]) -> dict[int, list[tuple[int, float]]]:
    """Found by the database: of ten thousand trials only some ten are read."""
    earlier = Window(Max("reward"), partition_by=F("search_id"), order_by="number", frame=RowRange(start=None, end=-1))
    scored = Trial.objects.filter(search__in=searches, reward__isnull=False).exclude(state__in=UNSCORED)
    better = scored.annotate(earlier=Coalesce(earlier, Value(-math.inf))).filter(reward__gt=F("earlier"))
    found: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for search_id, number, reward in better.order_by("search_id", "number").values_list("search_id", "number", "reward"):
        assert reward is not None  # by the filter, which the type checker cannot read
        found[search_id].append((number, reward))
    return found
