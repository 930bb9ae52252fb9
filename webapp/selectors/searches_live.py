"""What changes while a search runs: outcomes after a cursor, and the trials in flight."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from django.db.models import Avg, BooleanField, ExpressionWrapper, F, Max, OuterRef, Q, QuerySet, RowRange, Subquery, Window
from django.db.models.functions import RowNumber

from gnn.catalogue import describe
from gnn.protocol import Protocol
from gnn.space import Architecture
from webapp.enums import ArmName, Failure, RunState
from webapp.models import Search, Trial, TrialEpoch

POINTS_AT_ONCE = 1000
"""How many outcomes one live answer carries; the cursor lets the page ask for the rest."""

CURVE_POINTS = 1_000
"""About how many outcomes a page draws of a search that has more, beside those that were the best so far."""

MEAN_OF = 20
"""Scores that a moving mean is of: enough to smooth the luck of single trials, few enough to follow what a controller learns."""

SCORED = (RunState.COMPLETED, RunState.WAITING)
POINT_COLUMNS = ("told_order", "number", "state", "reward", "failure", "arm")


@dataclass(frozen=True)
class CurvePoint:
    """One outcome in the order the arms were told; ``reward`` is None for a failure."""

    order: int
    number: int
    reward: float | None
    failure: str = ""
    arm: str = ArmName.CONTROLLER
    mean: float | None = None
    """Of the last ``MEAN_OF`` scores of its arm, this one among them."""


@dataclass(frozen=True)
class InFlight:
    """A trial that waits or runs; ``epoch`` and ``score`` are those of its newest report."""

    number: int
    state: str
    state_label: str
    description: str
    epoch: int
    max_epochs: int
    score: float | None
    worker: str


def curve_points(search: Search, limit: int = CURVE_POINTS) -> list[CurvePoint]:
    """Outcomes in the order they were told: of each arm every best so far, the first, the last, and an even choice of the rest.

    The server leaves out what is not drawn: to read tens of thousands of rows would take longer than all else on the page.
    """
    told, arm_scores = _told(search), [F("arm"), F("scored")]
    count = told.count()
    rows = told.annotate(
        scored=ExpressionWrapper(Q(state__in=SCORED), BooleanField()),
        place=Window(RowNumber(), order_by="told_order"),
        best=Window(Max("reward"), partition_by=arm_scores, order_by="told_order", frame=RowRange(start=None, end=-1)),
        mean=Window(Avg("reward"), partition_by=arm_scores, order_by="told_order", frame=RowRange(start=1 - MEAN_OF, end=0)),
    )
    if count > limit:
        step = -(-count // limit)
        rows = rows.filter(
            Q(place__in=[1, count])
            | Q(scored=True, best__isnull=True)
            | Q(scored=True, reward__gt=F("best"))
            | Q(place=step * (F("place") / step))
        )
    columns = rows.order_by("told_order").values_list(*POINT_COLUMNS, "mean")
    return [replace(point, mean=None if point.reward is None else mean) for *row, mean in columns for point in [_point(*row)]]


def points_after(search: Search, *, cursor: int) -> tuple[list[CurvePoint], dict[str, float]]:
    """Outcomes told after ``cursor``, oldest first, and arm -> its best score up to it."""
    rows = _told(search).filter(told_order__gt=cursor).order_by("told_order")
    points = [_point(*row) for row in rows.values_list(*POINT_COLUMNS)[:POINTS_AT_ONCE]]
    scored = _told(search).filter(told_order__lte=cursor).exclude(state=RunState.FAILED)
    if points:
        last = {
            str(arm): list(reversed(scored.filter(arm=arm).order_by("-told_order").values_list("reward", flat=True)[: MEAN_OF - 1]))
            for arm in (ArmName.CONTROLLER, ArmName.RANDOM)
        }
        points = _with_means(points, last)
    return points, dict(scored.order_by().values_list("arm").annotate(best=Max("reward")))


def in_flight(search: Search) -> list[InFlight]:
    protocol = Protocol.from_json(search.protocol)
    newest = TrialEpoch.objects.filter(trial=OuterRef("pk")).order_by("-epoch")
    trials = (
        Trial.objects.filter(search=search, state__in=(RunState.RUNNING, RunState.QUEUED))
        .annotate(reached=Subquery(newest.values("epoch")[:1]), latest=Subquery(newest.values("scores")[:1]))
        .order_by(F("started_at").asc(nulls_last=True), "number")
        .defer("behaviour", "scores")[: search.workers]
    )
    return [
        InFlight(
            number=trial.number,
            state=trial.state,
            state_label=trial.get_state_display(),
            description=describe(Architecture.of(trial.architecture)),
            epoch=trial.reached or 0,
            max_epochs=protocol.max_epochs,
            score=(trial.latest or {}).get(protocol.objective),
            worker=trial.worker,
        )
        for trial in trials
    ]


def last_told(points: Sequence[CurvePoint]) -> int:
    return points[-1].order if points else 0


def _with_means(points: Sequence[CurvePoint], before: Mapping[str, Sequence[float | None]]) -> list[CurvePoint]:
    """The points with their moving means; ``before`` are the last scores of each arm before the first point, oldest first."""
    windows: dict[str, deque[float]] = {}
    for arm, rewards in before.items():
        windows[arm] = deque((reward for reward in rewards if reward is not None), maxlen=MEAN_OF)
    meant = []
    for point in points:
        if point.reward is not None:
            window = windows.setdefault(point.arm, deque(maxlen=MEAN_OF))
            window.append(point.reward)
            point = replace(point, mean=math.fsum(window) / len(window))
        meant.append(point)
    return meant


def _told(search: Search) -> QuerySet[Trial]:
    return Trial.objects.filter(search=search, told_order__isnull=False).exclude(state=RunState.STOPPED)


def _point(order: int | None, number: int, state: str, reward: float | None, failure: str, arm: str) -> CurvePoint:
    assert order is not None  # `_told` reads no others
    if state in SCORED:
        return CurvePoint(order, number, reward, arm=arm)
    return CurvePoint(order, number, None, str(Failure(failure).label) if failure else "Failed", arm)
