"""What a round of a search reads; every query is by an index, and none reads all the trials that were told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Aggregate, Count, F, FloatField, Min, QuerySet
from django.db.models.functions import Now

from gnn.plan import SearchPlan
from webapp.enums import CUT_SHORT, ENDED_RUN_STATES, IN_FLIGHT_RUN_STATES, ArmName, Ending, Failure, RunState, SearchState
from webapp.models import Arm, ArmPart, Search, Trial, TrialEpoch, TrialRung

EARLIER_SEARCHES = 20
BEST_ARCHITECTURES = 20
"""Of an earlier search, from which a new one may learn."""
FEWEST_FOR_MEDIAN = 5
"""Other trials at an epoch, below which their median says little."""


@dataclass(frozen=True)
class Waiting:
    """A trial at a rung's end, with how many of its arm that reached it are better."""

    trial: Trial
    better: int


@dataclass(frozen=True)
class RungStanding:
    """One rung of an arm; ``waiting`` are the best that wait there, best first."""

    arm: str
    rung: int
    scored: int
    waiting: Sequence[Waiting]


def plan_of(search: Search) -> SearchPlan:
    return SearchPlan.from_json(search.plan)


def untold(search: Search) -> list[Trial]:
    """Trials with a new outcome since the last round, in the order they reached it."""
    states = (*ENDED_RUN_STATES, RunState.WAITING)
    return list(Trial.objects.filter(search=search, state__in=states, told_order=None).order_by("finished_at", "number"))


def in_flight(search: Search) -> int:
    return Trial.objects.filter(search=search, state__in=IN_FLIGHT_RUN_STATES).count()


def last_number(search: Search) -> int:
    """Trials are numbered from 1 without gaps, whatever their arm."""
    return Trial.objects.filter(search=search).order_by("-number").values_list("number", flat=True).first() or 0


def only_by_hand(search: Search, told: Sequence[tuple[Trial, float | None]]) -> list[tuple[Trial, float | None]]:
    """Those of the trials by hand whose architecture the controller did not propose while they were in flight: it is told of its own."""
    by_hand = [(trial, reward) for trial, reward in told if trial.arm == ArmName.MANUAL]
    keys = [trial.key for trial, _ in by_hand]
    own = set(Trial.objects.filter(search=search, arm=ArmName.CONTROLLER, key__in=keys).values_list("key", flat=True)) if keys else set()
    return [(trial, reward) for trial, reward in by_hand if trial.key not in own]


def in_training(search: Search, arm: str) -> list[dict[str, Any]]:
    """Architectures of the trials of an arm of whose first rung nothing was told yet."""
    rows = Trial.objects.filter(search=search, arm=arm, rung=0, told_order=None).order_by("number")
    return list(rows.values_list("architecture", flat=True))


def chosen_by(search: Search, arm: str) -> list[dict[str, Any]]:
    """Architectures of all trials of an arm, whatever became of them."""
    return list(Trial.objects.filter(search=search, arm=arm).order_by("number").values_list("architecture", flat=True))


def told_before(search: Search) -> list[tuple[dict[str, Any], float, int, str]]:
    """Architecture, reward, rung and arm of all that was told, rungs of one trial in their order; no failed rung but the first."""
    columns = ("trial__architecture", "reward", "rung", "arm")
    reached = list(TrialRung.objects.filter(search=search).order_by("id").values_list(*columns))
    failed = Trial.objects.filter(search=search, state=RunState.FAILED, rung=0, reward__isnull=False, told_order__isnull=False)
    return reached + list(failed.order_by("told_order").values_list("architecture", "reward", "rung", "arm"))


def rung_rewards(search: Search, arm: str, rung: int) -> list[float]:
    return list(TrialRung.objects.filter(search=search, arm=arm, rung=rung).values_list("reward", flat=True))


def rung_before(trials: Sequence[Trial]) -> dict[int, TrialRung]:
    """Trial id -> what it had reached at the end of the rung before its current one."""
    later = [trial.pk for trial in trials if trial.rung > 0]
    return {row.trial_id: row for row in TrialRung.objects.filter(trial_id__in=later, rung=F("trial__rung") - 1)}


def standings(search: Search, arms: Sequence[str], rungs: int, slots: int) -> list[RungStanding]:
    """Every rung but the last of every arm, the highest first, with no more waiting trials than there are slots."""
    found = []
    for rung in reversed(range(rungs - 1)):
        for arm in arms:
            reached = TrialRung.objects.filter(search=search, arm=arm, rung=rung)
            best = (
                reached.filter(trial__state=RunState.WAITING, trial__rung=rung).select_related("trial").order_by("-reward", "trial__number")
            )
            waiting = [Waiting(row.trial, reached.filter(reward__gt=row.reward).count()) for row in best[:slots]]
            found.append(RungStanding(arm, rung, reached.count() if waiting else 0, waiting))
    return found


def failed_count(search: Search) -> int:
    return Trial.objects.filter(search=search, state=RunState.FAILED).count()


def any_scored(search: Search) -> bool:
    return Trial.objects.filter(search=search, state__in=(RunState.COMPLETED, RunState.WAITING)).exists()


def least_measured(search: Search, column: str) -> float | None:
    """The smallest value of a cost over the completed trials."""
    least: float | None = Trial.objects.filter(search=search, state=RunState.COMPLETED).aggregate(least=Min(column))["least"]
    return least


def last_failure(search: Search) -> str:
    """The message of the trial that failed last."""
    failed = Trial.objects.filter(search=search, state=RunState.FAILED).order_by("-finished_at")
    return failed.values_list("message", flat=True).first() or ""


def ranking(search: Search, of: str = "") -> tuple[str, ...]:
    """The order of trials, best first; where rungs have ever more data, rewards only compare within one rung.

    ``of`` is the way from the rows to their trials, e.g. ``trial__``.
    """
    order = (f"-{of}reward", f"{of}number")
    return (f"-{of}rung", *order) if plan_of(search).grows_data else order


def elapsed_seconds(search: Search) -> float:
    """Wall clock since the start, by the database's clock."""
    age = Search.objects.filter(pk=search.pk).annotate(age=Now() - F("created_at")).values_list("age", flat=True).get()
    return float(age.total_seconds())


def median_at_epoch(trial: Trial, epoch: int) -> float | None:
    """Median over the other trials of the search and arm of the best score each had by ``epoch``; None while they are few.

    Where rungs have ever more data, only those of the same rung compare.
    """
    others = TrialEpoch.objects.filter(trial__search=trial.search_id, trial__arm=trial.arm, epoch=epoch, best__isnull=False).exclude(
        trial=trial
    )
    if plan_of(trial.search).grows_data:
        others = others.filter(trial__rung=trial.rung)
    row = others.aggregate(count=Count("id"), median=_Median("best"))
    return row["median"] if row["count"] >= FEWEST_FOR_MEDIAN else None


class _Median(Aggregate):
    function = "percentile_cont"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


def donors(trial: Trial) -> QuerySet[Trial]:
    """Trials whose embeddings ``trial`` could start from, or is to replace: of the controller's arm and the same size."""
    size = trial.architecture.get("node_dim")
    mine = Trial.objects.filter(search=trial.search_id, arm=ArmName.CONTROLLER, architecture__node_dim=size)
    return mine.exclude(embeddings_blob="").exclude(pk=trial.pk)


def trained_elsewhere(search: Search, arm: str, keys: Sequence[str]) -> dict[str, Trial]:
    """Architecture key -> a trial of another arm that ended on its first rung with a result to share.

    One that failed on the second could have gone further, had its worker lived.
    """
    ended = Trial.objects.filter(search=search, key__in=keys, rung=0, state__in=(RunState.COMPLETED, RunState.FAILED), same_as=None)
    whole = ended.exclude(failure__in=(Failure.LOST, Failure.ERROR)).exclude(ending__in=(*CUT_SHORT, Ending.FAILED_LATER))
    return {trial.key: trial for trial in whole.exclude(arm=arm).order_by("number")}


def arms_of(search: Search) -> dict[str, Arm]:
    return {arm.name: arm for arm in Arm.objects.filter(search=search)}


def arm_parts(arm: Arm) -> dict[str, bytes]:
    """The named parts of the state of the arm's controller."""
    return {name: bytes(content) for name, content in ArmPart.objects.filter(arm=arm).order_by("name").values_list("name", "content")}


def earlier_searches(search: Search) -> list[Search]:
    """The newest finished searches, for the same metric, on datasets that are described by numbers."""
    rows = Search.objects.filter(state=SearchState.FINISHED, protocol__metric=search.protocol["metric"]).exclude(pk=search.pk)
    return list(rows.filter(dataset__profile__has_key="meta_features").select_related("dataset").order_by("-pk")[:EARLIER_SEARCHES])


def best_architectures(search: Search) -> list[tuple[dict[str, Any], float]]:
    """The best architectures of a search with their rewards, best first."""
    scored = Trial.objects.filter(search=search, state=RunState.COMPLETED, reward__isnull=False).order_by("-reward", "number")
    rows = scored.values_list("architecture", "reward")[:BEST_ARCHITECTURES]
    return [(architecture, reward) for architecture, reward in rows if reward is not None]
