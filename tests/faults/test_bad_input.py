"""Searches that cannot succeed, on real workers: each ends with a state and a message, and the workers go on."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

import pytest

from gnn.catalogue import build_space
from gnn.plan import Constraints, SearchPlan
from gnn.protocol import Protocol
from tests.faults import disturbed
from tests.toy_dataset import toy_dataset
from tests.waiting import wait_for
from webapp.enums import ArmName, Failure, RunState, SearchState
from webapp.models import Dataset, Search
from webapp.processes import processes_running
from webapp.services import searches

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ONE = build_space({"node_dim": (8,), "layers": (1,), "operator": ("lightgcn",)})
MANY = build_space({"node_dim": (4, 8, 12, 16), "layers": (1, 2), "operator": ("lightgcn", "gcn")})
FAILING = """
import importlib.abc, sys
def _fail():
    import gnn.train
    import gnn.trainer
    BODY
class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "searchworker.training":
            sys.meta_path.remove(self)
            _fail()
sys.meta_path.insert(0, _Finder())
"""
"""For :func:`patched`: the worker's machine or arithmetic, as BODY changes them."""


def start(dataset: Dataset, **changes: Any) -> Search:
    arguments: dict[str, Any] = {
        "owner": None,
        "name": "hopeless",
        "dataset": dataset,
        "space": MANY,
        "protocol": Protocol(max_epochs=2, patience=2, finalists=1, finalist_seeds=1),
        "controller": "ppo",
        "planned_trials": 12,
        "workers": 2,
        "seed": 1,
        "start_token": uuid.uuid4(),
        "plan": SearchPlan(random_arm=False),
    }
    return searches.search_start(**(arguments | changes))


def wait_for_end(search: Search, log: Path) -> None:
    wait_for(lambda: disturbed.has_ended(search), seconds=120, what=f"the search to end; the workers' log: {log}")


@pytest.mark.parametrize(
    ("body", "failure", "words"),
    [
        ("gnn.train.available_memory = lambda device: 1024", Failure.OUT_OF_MEMORY, "MiB of memory"),
        ("gnn.trainer.Trainer.train_epoch = lambda self: float('nan')", Failure.DIVERGED, "loss became nan"),
    ],
)
def test_a_search_of_which_every_trial_fails_ends_and_the_workers_take_the_next(
    worker_environment: dict[str, str], tmp_path: Path, body: str, failure: Failure, words: str
) -> None:
    disturbed.flush_broker()
    log, dataset = tmp_path / "workers.log", toy_dataset()
    search = start(dataset)
    failing = disturbed.patched(worker_environment, tmp_path / "patch", FAILING.replace("BODY", body))
    with processes_running(("control", "trials", "beat"), failing, log) as processes:
        wait_for_end(search, log)
        assert search.state == SearchState.FAILED
        assert re.match(r"All (8|9|1\d) trials (so far )?failed\. The last one: ", search.message)  # some end in the same round
        assert words in search.message
        assert set(search.trials.values_list("failure", flat=True)) <= {failure, ""}
        assert not search.trials.filter(state__in=(RunState.QUEUED, RunState.RUNNING)).exists()
        following = start(dataset, planned_trials=1)
        wait_for_end(following, log)
        assert following.message.startswith("All 1 trials failed. The last one: ")
        assert [process.poll() for process in processes] == [None, None, None]


def test_a_space_of_one_and_limits_that_nothing_meets_end_with_a_verdict(workers: Path) -> None:
    dataset = toy_dataset()
    single = start(dataset, space=ONE, plan=SearchPlan())
    wait_for_end(single, workers)
    assert single.state == SearchState.FINISHED
    assert dict(single.arms.values_list("name", "proposed")) == {ArmName.CONTROLLER: 1, ArmName.RANDOM: 1, ArmName.MANUAL: 0}
    limits = Constraints(max_latency_ms=1e-6)
    strict = start(dataset, planned_trials=2, plan=SearchPlan(random_arm=False, constraints=limits))
    wait_for_end(strict, workers)
    assert strict.state == SearchState.FINISHED
    assert "No trial kept to the limit on latency" in strict.message
