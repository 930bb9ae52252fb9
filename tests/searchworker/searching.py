"""Small searches for tests, with the workers' tasks called in this process."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from gnn.catalogue import build_space
from gnn.plan import SearchPlan
from gnn.protocol import Protocol
from searchworker import tasks
from tests.toy_dataset import toy_dataset
from webapp.enums import RunState, SearchState
from webapp.models import Search
from webapp.services import searches

SPACE = build_space({"node_dim": (8, 16), "layers": (1, 2), "operator": ("lightgcn", "gcn"), "learning_rate": (0.02,)})
PROTOCOL = Protocol(max_epochs=3, patience=3, finalists=2, finalist_seeds=2)


def start(**changes: Any) -> Search:
    arguments: dict[str, Any] = {
        "owner": None,
        "name": "toy",
        "dataset": toy_dataset(),
        "space": SPACE,
        "protocol": PROTOCOL,
        "controller": "ppo",
        "planned_trials": 3,
        "workers": 1,
        "seed": 1,
        "start_token": uuid.uuid4(),
        "plan": SearchPlan(random_arm=False),
    }
    return searches.search_start(**(arguments | changes))


def run_everything(search: Search) -> Search:
    """Do the workers' work in this process until the search ends."""
    for _ in range(50):
        tasks.advance_search(search.pk)
        for baseline in search.baselines.filter(state=RunState.QUEUED):
            tasks.run_baseline(baseline.pk)
        for trial in search.trials.filter(state=RunState.QUEUED):
            tasks.run_trial(trial.pk)
        for run in search.finalist_runs.filter(state=RunState.QUEUED):
            tasks.run_finalist(run.pk)
        search.refresh_from_db()
        if search.state not in (SearchState.RUNNING, SearchState.FINISHING):
            return search
    pytest.fail(f"The search is still {search.state}.")
