"""Owning work: claim, renew, give back and fail a run, whatever it runs.

All times are the database's, so a worker with a wrong clock keeps and loses leases like any other.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce, Now

from webapp.blobs import bytes_file
from webapp.enums import Failure, RunState, SearchState
from webapp.models import Baseline, FinalistRun, ModelBuild, Search, Trial
from webapp.queue import ADVANCE_SEARCH, BUILD_MODEL, RUN_BASELINE, RUN_FINALIST, RUN_TRIAL, enqueue_on_commit
from webapp.services.blob_release import blobs_let_go, blobs_release
from webapp.services.durability import commit_without_waiting

MAX_LOSSES = 3
"""A run whose worker died this often is given up: it is probably what kills them."""

Run = TypeVar("Run", Trial, Baseline, FinalistRun, ModelBuild)
Resumable = TypeVar("Resumable", Trial, FinalistRun, ModelBuild)
RunModel = type[Trial] | type[Baseline] | type[FinalistRun] | type[ModelBuild]

RUN_TASKS: dict[RunModel, str] = {Trial: RUN_TRIAL, Baseline: RUN_BASELINE, FinalistRun: RUN_FINALIST, ModelBuild: BUILD_MODEL}

CLAIMABLE_IN: dict[RunModel, tuple[SearchState, ...]] = {
    Trial: (SearchState.RUNNING,),
    Baseline: (SearchState.RUNNING, SearchState.FINISHING),
    FinalistRun: (SearchState.FINISHING,),
    ModelBuild: (SearchState.FINISHED,),
}
"""The states of the search in which a kind of run may start."""


def lease_end() -> models.Expression:
    end: models.Expression = Now() + timedelta(seconds=settings.RECSMITH_LEASE_SECONDS)
    return end


@transaction.atomic
def run_claim(model: type[Run], *, run_id: int, worker: str) -> Run | None:
    """Take the run if nobody owns it, or its owner went silent; otherwise return None.

    A message may be delivered twice, late, or after the search ended: None tells the task to do nothing.
    """
    commit_without_waiting()  # a claim that is lost leaves the run to be claimed again
    free = Q(state=RunState.QUEUED) | Q(state=RunState.RUNNING, lease_expires_at__lt=Now())
    going_on = Exists(Search.objects.filter(pk=OuterRef("search_id"), state__in=CLAIMABLE_IN[model]))
    claimed = model.objects.filter(free, going_on, pk=run_id).update(
        state=RunState.RUNNING,
        attempt=F("attempt") + 1,
        lease_expires_at=lease_end(),
        worker=worker,
        started_at=Coalesce("started_at", Now()),
    )
    return model.objects.select_related("search__dataset").get(pk=run_id) if claimed else None


def run_renew(run: Run) -> bool:
    """Extend the lease; False when the run is no longer this attempt's."""
    return owned(run).update(lease_expires_at=lease_end()) == 1


def owned(run: Run) -> models.QuerySet[Run]:
    """The run's row, only while this attempt owns it: every write of a worker goes through here."""
    return type(run).objects.filter(pk=run.pk, attempt=run.attempt, state=RunState.RUNNING)


@transaction.atomic
def run_save_checkpoint(run: Resumable, *, checkpoint: bytes) -> None:
    """Keep the state of training in place of the checkpoint before it."""
    run_replace_blob(run, "checkpoint_blob", checkpoint)


def run_replace_blob(run: Resumable, field: str, content: bytes) -> None:
    """Keep ``content`` under ``field`` of the run, if it is still this attempt's, and free what was there; call it in a transaction."""
    # The run before its blobs, as everywhere (see blob_release): storing locks the blob where its content is there already.
    if not owned(run).select_for_update(no_key=True).values_list("pk").first():
        return
    before = getattr(run, field)
    saved = default_storage.save(field.removesuffix("_blob"), bytes_file(content))
    owned(run).update(**{field: saved})
    setattr(run, field, saved)
    blobs_release({before} - {saved})


def free_checkpoint(run: Trial | Baseline | FinalistRun | ModelBuild) -> None:
    """Let go of where an ended run would have resumed; call it in the transaction that ends it."""
    if not isinstance(run, Baseline) and run.checkpoint_blob:
        blobs_let_go(type(run).objects.filter(pk=run.pk), "checkpoint_blob")


@transaction.atomic(savepoint=False)
def run_complete(run: Run, **results: Any) -> bool:
    """End the run as COMPLETED with its results; False when it is no longer this attempt's."""
    ended = owned(run).update(state=RunState.COMPLETED, finished_at=Now(), lease_expires_at=None, **results)
    if ended:
        free_checkpoint(run)
        enqueue_on_commit(ADVANCE_SEARCH, run.search_id)
    return ended == 1


@transaction.atomic
def run_fail(run: Run, *, failure: Failure, message: str) -> bool:
    """End the run as FAILED with its reason; False when the run is no longer this attempt's."""
    ended = owned(run).update(state=RunState.FAILED, failure=failure, message=message, finished_at=Now(), lease_expires_at=None)
    if ended:
        free_checkpoint(run)
        enqueue_on_commit(ADVANCE_SEARCH, run.search_id)
    return ended == 1


@transaction.atomic
def run_release(run: Run) -> bool:
    """Give the run back, to be started again here or elsewhere; False when it was no longer this attempt's."""
    released = owned(run).update(state=RunState.QUEUED, lease_expires_at=None, enqueued_at=Now(), worker="")
    if released and Search.objects.filter(pk=run.search_id, state__in=CLAIMABLE_IN[type(run)]).exists():
        enqueue_on_commit(RUN_TASKS[type(run)], run.pk)
    return released == 1


def runs_enqueue(*, search_id: int) -> None:
    """Send a message for each QUEUED run of a search; one too many is harmless."""
    for model, task in RUN_TASKS.items():
        for run_id in model.objects.filter(search_id=search_id, state=RunState.QUEUED).order_by("pk").values_list("pk", flat=True):
            enqueue_on_commit(task, run_id)
