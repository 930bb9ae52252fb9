"""What analyses read of the trials of a search: no more points than a figure can show, chosen by the database."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from django.db.models import Avg, Count, F, IntegerField, Max, Q, QuerySet, Value, Window
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Mod, RowNumber

from gnn.space import Choice
from webapp.enums import ArmName
from webapp.models import Search, Trial
from webapp.selectors.trials import UNSCORED

MOST_POINTS = 2000
"""Trials that one figure draws."""
BEST_KEPT = 20
"""Best trials that are among them however many there are."""
TOP_SHARES = (100, 50, 25, 10, 5)
"""Per cent of the best trials that an analysis may be narrowed to."""
MOST_SCORES = 100_000
"""As many trials as a search may plan."""

Cost = Literal["parameters", "train_seconds", "latency_ms"]
COSTS: tuple[Cost, ...] = get_args(Cost)


@dataclass(frozen=True)
class Subset:
    """Which trials an analysis is of."""

    arm: str = ""
    """Empty: all arms."""
    last_rung: int | None = None
    """Only those trained up to this rung; None: whatever rung they reached."""
    top: int = 100
    """Per cent, the best ones."""


@dataclass(frozen=True)
class Point:
    """A trial with its score and its choices, in the order they were asked for; None where the decision is not made."""

    number: int
    arm: str
    score: float
    choices: tuple[Choice | None, ...] = ()


@dataclass(frozen=True)
class Sample:
    """Points, by trial, of ``total`` that there are."""

    points: Sequence[Point]
    total: int


@dataclass(frozen=True)
class Cell:
    """Trials that made the same two choices."""

    first: Choice
    second: Choice
    trials: int
    mean: float
    best: float


@dataclass(frozen=True)
class Costed:
    number: int
    arm: str
    score: float
    cost: float


def sampled_points(search: Search, subset: Subset, decisions: Sequence[str], *, limit: int = MOST_POINTS) -> Sample:
    """Trials of the subset with their choices: all of them, or the best and, of each arm, an even choice of the rest."""
    trials = _subset(search, subset)
    total = trials.count()
    step = math.ceil(total / limit)
    if step > 1:
        place = Window(RowNumber(), partition_by=F("arm"), order_by="number")
        best = trials.order_by("-reward").values_list("reward", flat=True)[BEST_KEPT - 1]
        trials = trials.annotate(place=Mod(place, Value(step), output_field=IntegerField())).filter(Q(place=0) | Q(reward__gte=best))
    choices = {f"choice_{index}": KeyTransform(name, "architecture") for index, name in enumerate(decisions)}
    rows = trials.annotate(**choices).order_by("number").values_list("number", "arm", "reward", *choices)
    return Sample([Point(number, arm, score, tuple(made)) for number, arm, score, *made in rows[: limit + BEST_KEPT]], total)


def cells(search: Search, subset: Subset, first: str, second: str) -> list[Cell]:
    """The scores of all trials of the subset by two of their decisions."""
    made = _subset(search, subset).filter(architecture__has_keys=[first, second]).order_by()
    pairs = made.annotate(first=KeyTransform(first, "architecture"), second=KeyTransform(second, "architecture")).values("first", "second")
    rows = pairs.annotate(trials=Count("id"), mean=Avg("reward"), best=Max("reward"))
    return [Cell(row["first"], row["second"], row["trials"], row["mean"], row["best"]) for row in rows]


def costed(search: Search, subset: Subset, cost: Cost) -> list[Costed]:
    """Score and cost of all trials of the subset whose cost was measured, by trial."""
    rows = _subset(search, subset).filter(**{f"{cost}__isnull": False}).order_by("number")
    return [Costed(*row) for row in rows.values_list("number", "arm", "reward", cost)[:MOST_SCORES]]


def scores_by_arm(search: Search, subset: Subset) -> dict[str, list[float]]:
    """The scores of each arm, ascending."""
    scores: dict[str, list[float]] = {}
    for arm, score in _subset(search, subset).order_by("reward").values_list("arm", "reward")[:MOST_SCORES]:
        if score is not None:  # the subset has no others
            scores.setdefault(arm, []).append(score)
    return {str(arm): scores[arm] for arm in ArmName if arm in scores}


def decisions_ranked(names: Sequence[str], importance: Mapping[str, Mapping[str, float]]) -> list[str]:
    """``names`` with those first that mattered most, where that was measured; the others keep their order."""
    shares = importance.get("fanova") or importance.get("ped_anova") or {}
    return sorted(names, key=lambda name: -shares.get(name, 0.0))


def _subset(search: Search, subset: Subset) -> QuerySet[Trial]:
    trials = Trial.objects.filter(search=search, reward__isnull=False).exclude(state__in=UNSCORED)
    if subset.arm:
        trials = trials.filter(arm=subset.arm)
    if subset.last_rung is not None:
        trials = trials.filter(rung__gte=subset.last_rung)
    if subset.top < 100:
        wanted = math.ceil(trials.count() * subset.top / 100)
        least = trials.order_by("-reward").values_list("reward", flat=True)[max(0, wanted - 1) : wanted].first()
        trials = trials.filter(reward__gte=least) if least is not None else trials.none()
    return trials
