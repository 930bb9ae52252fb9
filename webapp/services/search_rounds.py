"""What one round of a search writes: what was told, what the arms have spent, and the trials it queued."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Max
from django.db.models.functions import Now

from gnn.plan import SearchPlan
from webapp.enums import CUT_SHORT, Ending, RunState
from webapp.models import Arm, ControllerReport, Search, Trial, TrialRung
from webapp.queue import ADVANCE_SEARCH, RUN_TRIAL, enqueue_on_commit
from webapp.selectors.rounds import plan_of, rung_before


@dataclass(frozen=True)
class NewTrial:
    """A proposal with its place in the search; ``same_as`` has its result already."""

    arm: str
    number: int
    architecture: dict[str, Any]
    key: str
    behaviour: dict[str, Any]
    seed: int
    same_as: Trial | None = None


def search_record_told(search: Search, *, arms: Mapping[str, Arm], told: Sequence[tuple[Trial, float | None]]) -> None:
    """Write what is told of each trial and add up what its arm has spent; call inside the transaction that locked ``search``."""
    if not told:
        return
    plan, before = plan_of(search), rung_before([trial for trial, _ in told])
    for order, (trial, reward) in enumerate(told, start=_last_told(search) + 1):
        arm, earlier = arms[trial.arm], None if plan.grows_data else before.get(trial.pk)
        if trial.pk in before and keeps_rung_before(trial, plan):
            failed = trial.state == RunState.FAILED
            why = f"failed: {trial.message}" if failed else "was not trained to its end."
            _keep_rung(trial, before[trial.pk], order, Ending.FAILED_LATER if failed else trial.ending, why)
        else:
            trial.told_order, trial.reward = order, reward
            trial.save(update_fields=["told_order", "reward"])
        arm.epochs += trial.epochs - (earlier.epochs if earlier else 0)
        arm.seconds += (trial.train_seconds or 0.0) - (earlier.seconds if earlier else 0.0)
        arm.stale += trial.rung == 0  # a trial that goes on to another rung is not another trial
        scored = trial.state in (RunState.COMPLETED, RunState.WAITING)
        if scored and reward is not None:
            TrialRung.objects.create(
                trial=trial,
                search=search,
                arm=trial.arm,
                rung=trial.rung,
                epochs=trial.epochs,
                seconds=trial.train_seconds or 0.0,
                reward=reward,
                worker=trial.worker,
                ended_at=trial.finished_at,
            )
            if arm.best_reward is None or reward > arm.best_reward:
                arm.best_reward, arm.stale = reward, 0
    for name in {trial.arm for trial, _ in told}:
        arms[name].save(update_fields=["epochs", "seconds", "best_reward", "stale"])


def keeps_rung_before(trial: Trial, plan: SearchPlan) -> bool:
    """Whether what the trial had reached on the rung before counts, and not how its newest rung ended.

    That is where it failed, and where it was cut short among others that train on as much more data.
    """
    return trial.rung > 0 and (trial.state == RunState.FAILED or (plan.grows_data and trial.ending in CUT_SHORT))


def _last_told(search: Search) -> int:
    return Trial.objects.filter(search=search, told_order__isnull=False).aggregate(last=Max("told_order"))["last"] or 0


def _keep_rung(trial: Trial, kept: TrialRung, order: int, ending: str, why: str) -> None:
    """Complete a trial with what it had on its last finished rung; ``trial`` itself still says how the newer one ended."""
    Trial.objects.filter(pk=trial.pk).update(
        state=RunState.COMPLETED,
        ending=ending,
        failure="",
        message=f"The result is that of rung {kept.rung + 1}, because rung {trial.rung + 1} {why}",
        rung=kept.rung,
        epochs=kept.epochs,
        train_seconds=kept.seconds,
        reward=kept.reward,
        told_order=order,
    )


def trials_keep_rungs_of_stopped(search: Search) -> None:
    """Complete the trials that were stopped on a later rung with what they had before: they are the best of the search."""
    stopped = list(Trial.objects.filter(search=search, state=RunState.STOPPED, rung__gt=0).order_by("number"))
    before = rung_before(stopped)
    for order, trial in enumerate(stopped, start=_last_told(search) + 1):
        _keep_rung(trial, before[trial.pk], order, Ending.RUNG, "was stopped with the search.")


def arm_record(arm: Arm, *, state: bytes, proposed: int, told: int, exhausted: bool, report: Mapping[str, Any] | None) -> None:
    """Write what a round made of an arm; call inside the transaction that locked its search."""
    arm.state, arm.exhausted = state, exhausted
    arm.proposed += proposed
    arm.told += told
    arm.save(update_fields=["state", "exhausted", "proposed", "told"])
    if report is not None:
        ControllerReport.objects.create(search_id=arm.search_id, told=arm.told, **report)


def search_record_round(search: Search, *, promoted: Sequence[Trial], proposed: Sequence[NewTrial]) -> None:
    """Queue promoted and new trials; call inside the transaction that locked ``search``."""
    # A rung of more data starts again, and its trial may fail before it has figures of its own.
    spent: dict[str, Any] = {"epochs": 0, "train_seconds": None} if promoted and plan_of(search).grows_data else {}
    for trial in promoted:
        Trial.objects.filter(pk=trial.pk).update(
            state=RunState.QUEUED, rung=F("rung") + 1, told_order=None, finished_at=None, enqueued_at=Now(), **spent
        )
        enqueue_on_commit(RUN_TRIAL, trial.pk)
    trials = Trial.objects.bulk_create([_new_trial(search, new) for new in proposed])
    for trial in trials:
        if trial.same_as_id is None:
            enqueue_on_commit(RUN_TRIAL, trial.pk)
    if any(trial.same_as_id is not None for trial in trials):
        enqueue_on_commit(ADVANCE_SEARCH, search.pk)
    Search.objects.filter(pk=search.pk).update(advanced_at=Now())


def _new_trial(search: Search, new: NewTrial) -> Trial:
    trial = Trial(
        search=search,
        arm=new.arm,
        number=new.number,
        architecture=new.architecture,
        key=new.key,
        behaviour=new.behaviour,
        seed=new.seed,
    )
    if new.same_as is not None:
        trial.same_as = new.same_as
        for field in SHARED_RESULTS:
            setattr(trial, field, getattr(new.same_as, field))
    return trial


SHARED_RESULTS = (
    "state", "failure", "message", "scores", "slices", "parameters", "epochs", "best_epoch", "train_seconds", "latency_ms", "ending",
    "started_at", "finished_at",
)  # fmt: skip
"""What a trial takes over from the one that had trained its architecture before."""
