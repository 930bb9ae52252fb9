from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from celery import signals
from celery.fixups.django import DjangoWorkerFixup
from django.db import connection

from searchworker.celery import app


class Task:
    request = SimpleNamespace(is_eager=False)


@pytest.fixture
def between_tasks(transactional_db: None) -> Any:
    """What Celery does before a task and after it, in a worker process."""
    fixup = DjangoWorkerFixup(app)
    signals.task_prerun.connect(fixup.on_task_prerun)
    signals.task_postrun.connect(fixup.on_task_postrun)

    def run() -> None:
        signals.task_postrun.send(sender=Task)
        signals.task_prerun.send(sender=Task)

    yield run
    signals.task_prerun.disconnect(fixup.on_task_prerun)
    signals.task_postrun.disconnect(fixup.on_task_postrun)


def backend() -> int:
    """The server process that answers this connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid: int = cursor.fetchone()[0]
        return pid


def test_tasks_share_a_connection_until_it_breaks(between_tasks: Any) -> None:
    first = backend()
    between_tasks()
    assert backend() == first
    other = connection.copy()  # the server ends the first one, as a restart would
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [first])
    other.close()
    between_tasks()
    assert backend() != first
