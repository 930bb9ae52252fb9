"""Finding what a dead worker or a lost message left behind; beat calls it every few seconds."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models, transaction
from django.db.models import F
from django.db.models.functions import Now

from webapp.enums import ACTIVE_SEARCH_STATES, BatchState, DatasetState, Failure, RunState
from webapp.models import Batch, Dataset, Search
from webapp.queue import ADVANCE_SEARCH, CONTROL_QUEUE, INGEST_DATASET, RANK_ALL, TRIALS_QUEUE, enqueue_on_commit, waiting_messages
from webapp.services.runs import CLAIMABLE_IN, MAX_LOSSES, RUN_TASKS, RunModel, free_checkpoint
from webapp.services.uploads import uploads_expire

LOST_MESSAGE = (
    f"The worker died {MAX_LOSSES} times while running this, most likely killed for using too much memory. "
    "Give the worker more memory, or use smaller embeddings."
)


def reap() -> None:
    """Requeue runs whose lease expired, resend lost messages, wake searches that stand still, drop forgotten uploads."""
    for model, task in RUN_TASKS.items():
        _reap_expired(model, task)
    if waiting_messages(TRIALS_QUEUE) == 0:
        for model, task in RUN_TASKS.items():
            _resend(model, task)
    if waiting_messages(CONTROL_QUEUE) == 0:
        _wake()
    uploads_expire()


@transaction.atomic
def _reap_expired(model: RunModel, task: str) -> None:
    expired = (
        model.objects.select_for_update(of=("self",), skip_locked=True)
        .filter(state=RunState.RUNNING, lease_expires_at__lt=Now())
        .order_by("pk")
    )
    for run in expired:
        row = model.objects.filter(pk=run.pk)
        if run.losses + 1 >= MAX_LOSSES:
            row.update(
                state=RunState.FAILED,
                failure=Failure.LOST,
                message=LOST_MESSAGE,
                losses=F("losses") + 1,
                finished_at=Now(),
                lease_expires_at=None,
            )
            free_checkpoint(run)
            enqueue_on_commit(ADVANCE_SEARCH, run.search_id)
        else:
            row.update(state=RunState.QUEUED, losses=F("losses") + 1, lease_expires_at=None, enqueued_at=Now(), worker="")
            enqueue_on_commit(task, run.pk)


def _quiet(field: str) -> models.Q:
    return models.Q(**{f"{field}__lt": Now() - timedelta(seconds=settings.RECSMITH_LEASE_SECONDS)})


@transaction.atomic
def _resend(model: RunModel, task: str) -> None:
    waiting = model.objects.filter(_quiet("enqueued_at"), state=RunState.QUEUED, search__state__in=CLAIMABLE_IN[model])
    for run_id in list(waiting.order_by("pk").values_list("pk", flat=True)):
        model.objects.filter(pk=run_id).update(enqueued_at=Now())
        enqueue_on_commit(task, run_id)


def _wake() -> None:
    for search_id in Search.objects.filter(_quiet("advanced_at") | models.Q(advanced_at=None), state__in=ACTIVE_SEARCH_STATES).values_list(
        "pk", flat=True
    ):
        enqueue_on_commit(ADVANCE_SEARCH, search_id)
    for dataset_id in Dataset.objects.filter(state=DatasetState.INGESTING).values_list("pk", flat=True):
        enqueue_on_commit(INGEST_DATASET, dataset_id)
    for batch_id in Batch.objects.filter(state__in=(BatchState.QUEUED, BatchState.RUNNING)).values_list("pk", flat=True):
        enqueue_on_commit(RANK_ALL, batch_id)
