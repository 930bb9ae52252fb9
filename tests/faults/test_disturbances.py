"""A search of 40 trials, with rungs and a random arm, is disturbed in every way, and ends as the same search left in peace."""

from __future__ import annotations

import random
import time
from functools import partial
from pathlib import Path
from subprocess import Popen

import psutil
import pytest
from django.conf import settings
from django.db import connections

from tests.faults import disturbed
from tests.faults.disturbed import PROCESSES, account, start, wait_for_end, wait_for_told
from tests.waiting import wait_for
from webapp.enums import RunState
from webapp.models import Search
from webapp.processes import commands_running, processes_kill, processes_running, procfile_commands
from webapp.queue import ADVANCE_SEARCH, REAP, enqueue_on_commit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SEED = 21
_undisturbed: list[list[dict[str, object]]] = []


@pytest.fixture(autouse=True)
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "RECSMITH_LEASE_SECONDS", 3)


@pytest.fixture
def environment(short_leases: None, worker_environment: dict[str, str]) -> dict[str, str]:
    disturbed.flush_broker()
    return worker_environment


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "workers.log"


@pytest.fixture
def undisturbed(environment: dict[str, str], tmp_path: Path) -> list[dict[str, object]]:
    """The trials of the search that nothing disturbs; searched once for all tests."""
    if not _undisturbed:
        search, log = start(seed=SEED), tmp_path / "undisturbed.log"
        with processes_running(PROCESSES, environment, log):
            wait_for_end(search, log)
        _undisturbed.append(account(search))
        disturbed.flush_broker()
    return _undisturbed[0]


def pool_process(worker: Popen[bytes]) -> psutil.Process | None:
    """The process of a worker that runs its tasks; None while the worker replaces it."""
    children = psutil.Process(worker.pid).children()
    return children[0] if children else None


def test_pool_processes_are_killed_at_random_moments(environment: dict[str, str], undisturbed: list[dict[str, object]], log: Path) -> None:
    search, moments = start(seed=SEED), random.Random(5)
    with processes_running(PROCESSES, environment, log) as (_, trials, _beat):
        for count in (4, 20, 35):
            wait_for_told(search, count)
            time.sleep(moments.random() / 3)
            if (process := pool_process(trials)) is not None:
                process.kill()
        wait_for_end(search, log)
    assert account(search) == undisturbed


def test_all_workers_are_killed_with_their_pools(environment: dict[str, str], undisturbed: list[dict[str, object]], log: Path) -> None:
    search, moments = start(seed=SEED), random.Random(6)
    with processes_running(PROCESSES, environment, log) as processes:
        wait_for_told(search, 15)
        time.sleep(moments.random() / 3)
        processes_kill(processes)
    with processes_running(PROCESSES, environment, log):
        wait_for_end(search, log)
    assert account(search) == undisturbed


def test_postgresql_restarts_and_is_killed(environment: dict[str, str], undisturbed: list[dict[str, object]], log: Path) -> None:
    search, server = start(seed=SEED), disturbed.postgres()
    with processes_running(PROCESSES, environment, log):
        wait_for_told(search, 8)
        connections.close_all()
        server.stop()
        time.sleep(1)
        server.start()
        wait_for_told(search, 25)
        connections.close_all()
        disturbed.kill_postgres()
        server.start()
        wait_for_end(search, log)
    assert account(search) == undisturbed


@pytest.mark.soak
def test_valkey_is_flushed_restarts_and_is_killed(environment: dict[str, str], undisturbed: list[dict[str, object]], log: Path) -> None:
    search, server = start(seed=SEED), disturbed.valkey()
    with processes_running(PROCESSES, environment, log):
        wait_for_told(search, 5)
        disturbed.flush_broker()
        wait_for_told(search, 15)
        server.stop()
        time.sleep(1)
        server.start()
        wait_for_told(search, 25)
        disturbed.kill_valkey()
        time.sleep(1)
        server.start()
        wait_for_end(search, log)
    assert account(search) == undisturbed


@pytest.mark.soak
def test_workers_outlive_any_number_of_restarts_of_valkey(environment: dict[str, str], log: Path) -> None:
    server, moments = disturbed.valkey(), random.Random(1)
    with processes_running(PROCESSES, environment, log) as processes:
        for _ in range(25):
            (disturbed.kill_valkey if moments.random() < 0.5 else server.stop)()
            time.sleep(2 * moments.random())
            server.start()
            for _ in range(5):  # so that messages are on their way when the connection is lost
                enqueue_on_commit(REAP)
            time.sleep(moments.random() * moments.choice((0.5, 2, 5)))
            assert [process.poll() for process in processes] == [None, None, None]
        search = start(seed=SEED)
        wait_for_told(search, 1)


@pytest.mark.soak
def test_beat_stops_for_a_while(environment: dict[str, str], undisturbed: list[dict[str, object]], log: Path) -> None:
    search = start(seed=SEED)
    with processes_running(("control", "trials"), environment, log):
        wait_for_told(search, 10)
        disturbed.flush_broker()  # without beat, nobody sends these messages again
        time.sleep(settings.RECSMITH_LEASE_SECONDS + 1)
        stuck = disturbed.told(search)
        with processes_running(("beat",), environment, log):
            wait_for_end(search, log)
    assert stuck < disturbed.told(search)
    assert account(search) == undisturbed


@pytest.mark.soak
def test_the_clocks_of_the_workers_are_wrong(
    environment: dict[str, str], undisturbed: list[dict[str, object]], log: Path, tmp_path: Path
) -> None:
    search, code = start(seed=SEED), disturbed.WRONG_CLOCK.replace("SKEW", "7200")
    with (
        processes_running(("beat",), environment, log),
        processes_running(("control", "trials"), disturbed.patched(environment, tmp_path / "patch", code), log) as (_, trials),
    ):
        wait_for_told(search, 10)
        if (process := pool_process(trials)) is not None:
            process.kill()  # so that leases and the reaper matter
        disturbed.flush_broker()
        wait_for_end(search, log)
    assert account(search) == undisturbed


@pytest.mark.soak
def test_messages_come_twice_and_two_control_workers_share_them(
    environment: dict[str, str], undisturbed: list[dict[str, object]], log: Path
) -> None:
    search = start(seed=SEED)
    second = procfile_commands()["control"].replace("control@%h", "control2@%h")
    with processes_running(PROCESSES, environment, log), commands_running([second], environment, log):

        def ended() -> bool:
            for _ in range(4):
                enqueue_on_commit(ADVANCE_SEARCH, search.pk)
            return disturbed.has_ended(search)

        wait_for(ended, seconds=240, what="the search to end")
        wait_for_end(search, log)
    assert account(search) == undisturbed


@pytest.mark.soak
def test_a_worker_that_is_asked_to_stop_gives_its_trial_back(
    environment: dict[str, str], undisturbed: list[dict[str, object]], log: Path, tmp_path: Path
) -> None:
    search = start(seed=SEED)
    slow = disturbed.patched(environment, tmp_path / "patch", disturbed.SLOW_EPOCHS)
    with processes_running(("control", "beat"), environment, log):
        with processes_running(("trials",), slow, log) as (trials,):
            wait_for(partial(_far_from_its_end, search), what="a trial to be at the beginning of the last rung")
            trials.terminate()
            trials.wait(30)
        given_back = search.trials.get(state=RunState.QUEUED)
        assert given_back.checkpoint_blob
        assert (given_back.losses, given_back.worker, given_back.lease_expires_at) == (0, "", None)
        assert not search.trials.filter(state=RunState.RUNNING).exists()
        with processes_running(("trials",), environment, log):
            wait_for_end(search, log)
    assert account(search) == undisturbed


def _far_from_its_end(search: Search) -> bool:
    """Whether a trial runs that has three of the last rung's four epochs to go."""
    return search.trials.filter(state=RunState.RUNNING, rung=2, epochs=5).exists()


@pytest.mark.soak
def test_a_trial_over_its_time_limit_fails_and_its_worker_goes_on(environment: dict[str, str], log: Path, tmp_path: Path) -> None:
    search = start(seed=SEED)
    slow = disturbed.patched({**environment, "RECSMITH_TRIAL_LIMIT_SECONDS": "1"}, tmp_path / "patch", disturbed.SLOW_EPOCHS)
    with processes_running(("control", "beat"), environment, log), processes_running(("trials",), slow, log) as (trials,):
        wait_for(lambda: search.trials.filter(failure="time_limit").count() >= 2, what="two trials to run out of time")
        assert trials.poll() is None
    assert "RECSMITH_TRIAL_LIMIT_SECONDS" in search.trials.filter(failure="time_limit").first().message
