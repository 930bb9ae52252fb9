from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from gnn.slices import Slices
from webapp.enums import Ending, RunState, SearchState
from webapp.models import Search, Trial, TrialEpoch
from webapp.queue import ADVANCE_SEARCH, enqueue_on_commit
from webapp.selectors.rounds import donors, median_at_epoch
from webapp.services.blob_release import blobs_let_go
from webapp.services.durability import commit_without_waiting
from webapp.services.runs import lease_end, owned, run_complete, run_replace_blob


class Directive(enum.Enum):
    """What the search wants of a run that just reported."""

    CONTINUE = enum.auto()
    PAUSE = enum.auto()
    """Save a checkpoint and give the trial back."""
    ABANDON = enum.auto()
    """Stop at once and write nothing: another attempt owns the trial, or the search has ended."""
    FINISH = enum.auto()
    """End with what is reached: the search's budget is spent."""
    PRUNE = enum.auto()
    """End with what is reached: others were better at this epoch."""


@transaction.atomic
def trial_report_epoch(
    trial: Trial, *, epoch: int, loss: float, scores: Mapping[str, float], best: float, seconds: float, prune: bool
) -> Directive:
    """Write one point of the learning curve, renew the lease, and learn whether to go on.

    ``best`` is the best value of the search's metric so far; with ``prune``, a trial whose best is below the median
    of the others' at the same epoch is told to end.
    """
    commit_without_waiting()  # an epoch that is lost is trained again, from the checkpoint before it
    if not owned(trial).update(lease_expires_at=lease_end(), epochs=epoch):
        return Directive.ABANDON
    # An attempt that starts again writes its epochs over those of the lost one.
    TrialEpoch.objects.bulk_create(
        [TrialEpoch(trial=trial, epoch=epoch, loss=loss, scores=dict(scores), best=best, seconds=seconds)],
        update_conflicts=True,
        unique_fields=["trial", "epoch"],
        update_fields=["loss", "scores", "best", "seconds"],
    )
    state, spent = Search.objects.values_list("state", "spent").get(pk=trial.search_id)
    if state == SearchState.PAUSED:
        return Directive.PAUSE
    if spent:
        return Directive.FINISH
    if prune:
        median = median_at_epoch(trial, epoch)
        if median is not None and best < median:
            return Directive.PRUNE
    return Directive.CONTINUE


@transaction.atomic
def trial_keep_embeddings(trial: Trial, *, embeddings: bytes, metric: str, score: float) -> None:
    """Keep the node embeddings of a trained trial for later ones of its size to start from, unless those kept are better."""
    both = Trial.objects.filter(pk__in=[trial.pk, *donors(trial).values_list("pk", flat=True)]).order_by("pk")
    list(both.select_for_update(no_key=True).values_list("pk"))  # before any blob (see blob_release)
    kept = list(donors(trial))
    if any(donor.scores.get(metric, score) >= score for donor in kept):
        return
    blobs_let_go(Trial.objects.filter(pk__in=[donor.pk for donor in kept]), "embeddings_blob")
    run_replace_blob(trial, "embeddings_blob", embeddings)


@dataclass(frozen=True)
class TrialResult:
    """What training has reached: validation scores at the best epoch, and costs."""

    scores: Mapping[str, float]
    parameters: int
    epochs: int
    best_epoch: int
    train_seconds: float
    latency_ms: float | None = None
    slices: Slices | None = None

    def columns(self) -> dict[str, Any]:
        return {**vars(self), "scores": dict(self.scores), "slices": self.slices.to_json() if self.slices else {}}


@transaction.atomic
def trial_complete(trial: Trial, *, result: TrialResult, ending: Ending) -> bool:
    """End the trial with its result; False when it is no longer this attempt's."""
    completed = run_complete(trial, ending=ending, **result.columns())
    if completed:
        _forget_epochs_after(trial, result.epochs)
    return completed


@transaction.atomic
def trial_wait(trial: Trial, *, result: TrialResult, checkpoint: bytes | None) -> bool:
    """Leave the trial at the end of its rung with its result and where to go on; False when it is no longer this attempt's.

    Without a ``checkpoint`` it starts again if it is promoted.
    """
    if checkpoint is not None:
        run_replace_blob(trial, "checkpoint_blob", checkpoint)
    else:  # one saved on the way is of less data than the next rung has
        blobs_let_go(owned(trial), "checkpoint_blob")
    waiting = owned(trial).update(state=RunState.WAITING, finished_at=Now(), lease_expires_at=None, **result.columns())
    if waiting:
        _forget_epochs_after(trial, result.epochs)
        enqueue_on_commit(ADVANCE_SEARCH, trial.search_id)
    return waiting == 1


def _forget_epochs_after(trial: Trial, epochs: int) -> None:
    """Drop what a lost attempt wrote of epochs that the one that finished did not reach."""
    if trial.attempt > 1:
        TrialEpoch.objects.filter(trial=trial, epoch__gt=epochs).delete()


@transaction.atomic
def trial_inherit(trial: Trial) -> Trial | None:
    """The trial whose embeddings this one starts from, noted on it; None if there is none of its size."""
    donor = donors(trial).order_by("number").first()
    if owned(trial).update(inherited_from=donor):
        trial.inherited_from = donor
    return donor


def trials_release_waiting(search: Search) -> None:
    """Complete the trials that wait at a rung, and free where they would have gone on."""
    held = list(Trial.objects.filter(search=search, state=RunState.WAITING).values_list("pk", flat=True))
    trials_complete_waiting(search)
    blobs_let_go(Trial.objects.filter(pk__in=held), "checkpoint_blob")


def trials_complete_waiting(search: Search) -> None:
    """Complete the trials that wait at a rung with what they have reached: no place will open any more."""
    Trial.objects.filter(search=search, state=RunState.WAITING).update(state=RunState.COMPLETED, ending=Ending.RUNG)
