"""Workers killed in the middle of a search: after a restart, every trial is accounted for exactly once."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from django.conf import settings

from gnn.catalogue import build_space
from gnn.protocol import Protocol
from tests.toy_dataset import toy_dataset
from tests.waiting import wait_for
from webapp.enums import RunState, SearchState
from webapp.models import Search
from webapp.processes import processes_kill, processes_running
from webapp.queue import app
from webapp.services import searches

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

TRIALS = 6
SPACE = build_space({"node_dim": (8, 16, 32), "layers": (1, 2), "operator": ("lightgcn", "gcn"), "learning_rate": (0.01, 0.02)})
# Long enough a trial to be killed in the middle of it.
PROTOCOL = Protocol(max_epochs=150, patience=150, finalists=1, finalist_seeds=1)


@pytest.fixture
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "RECSMITH_LEASE_SECONDS", 3)


def start_search(seed: int) -> Search:
    return searches.search_start(
        owner=None,
        name="faults",
        dataset=toy_dataset(),
        space=SPACE,
        protocol=PROTOCOL,
        controller="ppo",
        planned_trials=TRIALS,
        workers=1,
        seed=seed,
        start_token=uuid.uuid4(),
    )


def test_a_search_survives_kill_9_and_ends_as_if_undisturbed(
    short_leases: None, worker_environment: dict[str, str], tmp_path: Path
) -> None:
    with app.connection_for_write() as broker:
        broker.default_channel.client.flushdb()
    log = tmp_path / "workers.log"
    names = ("control", "trials", "beat")
    search = start_search(seed=11)

    def running() -> bool:
        return search.trials.filter(state=RunState.RUNNING, epochs__gte=2).exists()

    def ended() -> bool:
        search.refresh_from_db()
        return search.state not in (SearchState.RUNNING, SearchState.FINISHING)

    for _ in range(2):
        with processes_running(names, worker_environment, log) as processes:
            wait_for(running, what="a trial to be in its second epoch")
            processes_kill(processes)
        assert search.trials.filter(state=RunState.RUNNING).exists()
    with processes_running(names, worker_environment, log):
        wait_for(ended, seconds=120, what=f"the search to end; workers' log: {log}")
        assert search.state == SearchState.FINISHED, search.message
        disturbed = list(search.trials.order_by("number").values("number", "key", "state", "scores", "told_order"))
        assert [trial["number"] for trial in disturbed] == list(range(1, TRIALS + 1))
        assert {trial["state"] for trial in disturbed} == {RunState.COMPLETED}
        assert sorted(trial["told_order"] for trial in disturbed) == list(range(1, TRIALS + 1))
        assert search.trials.filter(losses__gt=0).exists()

        search = start_search(seed=11)
        wait_for(ended, seconds=120, what="the undisturbed search to end")
        assert list(search.trials.order_by("number").values("number", "key", "state", "scores", "told_order")) == disturbed


def test_a_flushed_broker_loses_no_trial(short_leases: None, worker_environment: dict[str, str], tmp_path: Path) -> None:
    search = start_search(seed=12)
    with app.connection_for_write() as broker:
        broker.default_channel.client.flushdb()  # the messages of the start are gone
    with processes_running(("control", "trials", "beat"), worker_environment, tmp_path / "workers.log"):

        def finished() -> bool:
            search.refresh_from_db()
            return search.state == SearchState.FINISHED

        wait_for(finished, seconds=120, what="the search to finish without its first messages")
    assert search.trials.filter(state=RunState.COMPLETED).count() == TRIALS
