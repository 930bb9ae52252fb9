"""What tests of the whole system share: a signed-in client and real workers on the test database."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from subprocess import Popen
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.db.models import QuerySet
from django.test import Client

from tests.waiting import wait_for
from webapp.embedded import home_folder
from webapp.models import Worker
from webapp.processes import processes_kill, processes_running, stack_environment
from webapp.queue import CONTROL_QUEUE, TRIALS_QUEUE, app
from webapp.selectors.workers import workers_alive

# The application looks for this folder when it loads, which tests of the API do before files are collected.
settings.STATIC_ROOT.mkdir(exist_ok=True)


@pytest.fixture(scope="session")
def static_files() -> None:
    """Pages name static files by their hash, which a fresh clone has not computed; processes that share out the tests do it once."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    with (settings.STATIC_ROOT / ".collected").open("a+") as done:
        fcntl.flock(done, fcntl.LOCK_EX)
        done.seek(0)
        if done.read() != run:
            call_command("collectstatic", interactive=False, verbosity=0)
            done.truncate(0)
            done.write(run)


@pytest.fixture
def client(static_files: None, client: Client) -> Client:
    return client


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("ada")  # no password, whose hashing is slow on purpose: sign in by `signed_in`


@pytest.fixture
def signed_in(user: User, client: Client) -> Client:
    client.force_login(user)
    return client


@pytest.fixture
def worker_environment(transactional_db: None) -> dict[str, str]:
    """The variables of a process that works on the test database."""
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    return stack_environment(
        home_folder(),
        {
            "DATABASE_URL": urlunsplit(database),
            "RECSMITH_WORKERS": 1,
            "RECSMITH_THREADS": 1,
            "RECSMITH_LEASE_SECONDS": settings.RECSMITH_LEASE_SECONDS,
        },
    )


@pytest.fixture
def workers(worker_environment: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Real control and trials workers on the test database; gives their log, which a failed test shows."""
    with app.connection_for_write() as broker:
        broker.default_channel.client.flushdb()  # what earlier tests enqueued
    log = tmp_path / "workers.log"
    with processes_running(("control", "trials"), worker_environment, log) as processes:
        try:
            for queue in (CONTROL_QUEUE, TRIALS_QUEUE):
                alive = workers_alive(queue=queue)
                wait_for(partial(_reported_or_ended, alive, processes), what=f"the {queue} worker to report")
            assert all(process.poll() is None for process in processes), "A worker ended while it started."
            yield log
        finally:
            processes_kill(processes)
            request.node.add_report_section("teardown", "workers", log.read_text(errors="replace"))
    with connection.cursor() as cursor:  # so that the test database can be emptied and dropped
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def _reported_or_ended(alive: QuerySet[Worker], processes: Sequence[Popen[bytes]]) -> bool:
    return alive.all().exists() or any(process.poll() is not None for process in processes)
