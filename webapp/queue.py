"""The one door to the workers: tasks are enqueued by name, after the transaction that needs them commits."""

from __future__ import annotations

from typing import Any

from celery import Celery
from django.conf import settings
from django.db import transaction

INGEST_DATASET = "recsmith.ingest_dataset"
PREVIEW_PREPARATION = "recsmith.preview_preparation"
ADVANCE_SEARCH = "recsmith.advance_search"
RUN_TRIAL = "recsmith.run_trial"
RUN_BASELINE = "recsmith.run_baseline"
RUN_FINALIST = "recsmith.run_finalist"
BUILD_MODEL = "recsmith.build_model"
RANK_ALL = "recsmith.rank_all"
MEASURE_IMPORTANCE = "recsmith.measure_importance"
REAP = "recsmith.reap"

CONTROL_QUEUE = "control"
TRIALS_QUEUE = "trials"

TASK_QUEUES = {
    INGEST_DATASET: CONTROL_QUEUE,
    PREVIEW_PREPARATION: CONTROL_QUEUE,
    ADVANCE_SEARCH: CONTROL_QUEUE,
    RANK_ALL: CONTROL_QUEUE,
    MEASURE_IMPORTANCE: CONTROL_QUEUE,
    REAP: CONTROL_QUEUE,
    RUN_TRIAL: TRIALS_QUEUE,
    RUN_BASELINE: TRIALS_QUEUE,
    RUN_FINALIST: TRIALS_QUEUE,
    BUILD_MODEL: TRIALS_QUEUE,
}
"""Every task and its queue: short work never waits behind training."""

app = Celery("recsmith")
app.config_from_object("django.conf:settings", namespace="CELERY")

SECONDS_TO_END = 60
"""Between the exception that tells a task to end and the end of its process, whatever the task does with it."""


def time_limits() -> dict[str, dict[str, int]]:
    """Task name -> Celery's limits in seconds, by its queue."""
    limits = {CONTROL_QUEUE: settings.RECSMITH_CONTROL_LIMIT_SECONDS, TRIALS_QUEUE: settings.RECSMITH_TRIAL_LIMIT_SECONDS}
    return {task: {"soft_time_limit": limits[queue], "time_limit": limits[queue] + SECONDS_TO_END} for task, queue in TASK_QUEUES.items()}


app.conf.task_annotations = time_limits()


def enqueue_on_commit(task: str, *args: Any) -> None:
    """Send ``task`` once the current transaction commits (at once outside a transaction).

    A broker that cannot be reached is logged and no more: the rows say what is to be done, and the reaper
    sends the message again.
    """
    transaction.on_commit(lambda: app.send_task(task, args=args, queue=TASK_QUEUES[task]), robust=True)


def waiting_messages(queue: str) -> int:
    """How many messages wait in ``queue`` for a free worker."""
    with app.connection_for_read() as connection:
        return int(connection.default_channel.client.llen(queue))
