"""What each worker did when, for one search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from webapp.enums import RunState
from webapp.models import Baseline, FinalistRun, Search, Trial, TrialRung
from webapp.selectors.searches import BASELINE_LABELS

MOST_SPANS = 50_000
"""The newest of each kind."""

Kind = Literal["trial", "failed", "running", "baseline", "finalist"]


@dataclass(frozen=True)
class Span:
    """A worker's time on one thing; ``number`` is that of the trial, None for a baseline."""

    worker: str
    kind: Kind
    start: datetime
    end: datetime
    number: int | None
    label: str


def timeline(search: Search) -> list[Span]:
    """Training of each rung, failures, what runs now, baselines and finalists, by their start."""
    spans = [*_rungs(search), *_failed(search), *_running(search), *_references(search), *_finalists(search)]
    return sorted(spans, key=lambda span: (span.start, span.worker))


def _rungs(search: Search) -> Iterator[Span]:
    before = TrialRung.objects.filter(trial=OuterRef("trial"), rung=OuterRef("rung") - 1)
    # A rung of more data starts again; its seconds are its own.
    carried = 0.0 if (search.plan.get("rungs") or {}).get("by") == "data" else Coalesce(Subquery(before.values("seconds")[:1]), 0.0)
    own = TrialRung.objects.filter(search=search, ended_at__isnull=False, trial__same_as=None).exclude(worker="")
    rows = own.annotate(spent=F("seconds") - carried).order_by("-ended_at")
    for worker, end, spent, number, rung in rows.values_list("worker", "ended_at", "spent", "trial__number", "rung")[:MOST_SPANS]:
        if end is not None:  # the query has no others
            yield Span(worker, "trial", end - timedelta(seconds=max(0.0, spent)), end, number, str(rung + 1))


def _failed(search: Search) -> Iterator[Span]:
    rows = Trial.objects.filter(search=search, state=RunState.FAILED, same_as=None).exclude(worker="").order_by("-finished_at")
    for worker, start, end, number, kind in rows.values_list("worker", "started_at", "finished_at", "number", "failure")[:MOST_SPANS]:
        if start and end:
            yield Span(worker, "failed", start, end, number, kind)


def _running(search: Search) -> Iterator[Span]:
    now = timezone.now()
    rows = Trial.objects.filter(search=search, state=RunState.RUNNING).exclude(worker="").order_by("number")
    for worker, started, enqueued, number, rung in rows.values_list("worker", "started_at", "enqueued_at", "number", "rung")[
        : search.workers
    ]:
        # A promoted trial started long ago; it was queued for this rung when it was promoted.
        yield Span(worker, "running", enqueued if rung else started or enqueued, now, number, str(rung + 1))


def _references(search: Search) -> Iterator[Span]:
    rows = Baseline.objects.filter(search=search).exclude(worker="").values_list("worker", "started_at", "finished_at", "name")
    for worker, start, end, name in rows:
        if start and end:
            yield Span(worker, "baseline", start, end, None, BASELINE_LABELS.get(name, name))


def _finalists(search: Search) -> Iterator[Span]:
    rows = FinalistRun.objects.filter(search=search).exclude(worker="").order_by("id")
    for worker, start, end, number, seed in rows.values_list("worker", "started_at", "finished_at", "trial__number", "seed"):
        if start and end:
            yield Span(worker, "finalist", start, end, number, str(seed))
