"""Real workers: one that is asked to drain leaves messages where they are, and takes them again when it may."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.waiting import wait_for
from webapp.models import Worker
from webapp.queue import RUN_TRIAL, TRIALS_QUEUE, app, waiting_messages
from webapp.services.workers import worker_drain

NO_TRIAL = 2**40
"""A message about a trial that is not there is taken, and done at once."""


@pytest.fixture
def worker_environment(worker_environment: dict[str, str]) -> dict[str, str]:
    """Workers that report, and read what they are asked, every second."""
    return worker_environment | {"RECSMITH_LEASE_SECONDS": "6"}


@pytest.mark.slow
def test_a_drained_worker_takes_nothing_until_it_may_again(workers: Path) -> None:
    worker = Worker.objects.get(name__startswith="trials@")
    assert worker.queues == [TRIALS_QUEUE] and worker.host
    assert 0 < worker.used_bytes < worker.memory_bytes and 0 < worker.free_bytes < worker.memory_bytes  # type: ignore[operator]

    worker_drain(worker_id=worker.pk, drain=True)
    wait_for(lambda: Worker.objects.get(pk=worker.pk).queues == [], what="the worker to take no more messages")
    app.send_task(RUN_TRIAL, args=(NO_TRIAL,), queue=TRIALS_QUEUE)
    seen_at = Worker.objects.get(pk=worker.pk).seen_at
    wait_for(lambda: Worker.objects.get(pk=worker.pk).seen_at > seen_at, what="the next report")
    assert waiting_messages(TRIALS_QUEUE) == 1

    worker_drain(worker_id=worker.pk, drain=False)
    wait_for(lambda: waiting_messages(TRIALS_QUEUE) == 0, what="the message to be taken")
    wait_for(lambda: Worker.objects.get(pk=worker.pk).queues == [TRIALS_QUEUE], what="the worker to report its queue")
