"""The first page: what runs, who works, what there is, and how to begin."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from gnn.plan import Budget, SearchPlan
from tests.webapp.factories import make_dataset, make_search, make_trials
from webapp.charts.sparkline import step_points
from webapp.enums import ArmName, DatasetState, RunState, SearchState
from webapp.models import Arm, Trial, Worker
from webapp.selectors.home import home_overview
from webapp.selectors.searches import progress
from webapp.services.workers import worker_drain, worker_seen


def test_a_sparkline_keeps_each_value_until_the_next() -> None:
    # 136 units wide for positions 1 to 5, 28 high for 0.1 to 0.3, 2 of margin.
    assert step_points([(1, 0.1), (3, 0.2), (4, 0.3)], until=5) == "2.0,30.0 70.0,30.0 70.0,16.0 104.0,16.0 104.0,2.0 138.0,2.0"
    assert step_points([(7, 0.2)], until=9) == "2.0,16.0 138.0,16.0", "a flat line in the middle"


def test_a_running_search_shows_how_its_best_score_rose(signed_in: Client) -> None:
    search = make_search(name="Evening run")
    make_trials(search, [0.20, 0.18, None, 0.25, 0.25, 0.22, 0.31])
    row = home_overview().running[0]
    assert list(row.improvements) == [(1, 0.20), (4, 0.25), (7, 0.31)], "a penalty and an equal score are no improvement"
    text = signed_in.get("/").content.decode()
    assert "Best score so far: from 0.2000 to 0.3100 in 7 trials" in text
    assert f'points="{step_points([(1, 0.20), (4, 0.25), (7, 0.31)], until=7)}"' in text
    assert "7/10" in text and "(1 failed)" in text


def test_a_search_without_a_score_has_no_line(signed_in: Client) -> None:
    make_trials(make_search(), [None])
    assert home_overview().running[0].improvements == []
    assert "<polyline" not in signed_in.get("/").content.decode()


@pytest.mark.parametrize("state", [SearchState.RUNNING, SearchState.PAUSED])
def test_progress_and_time_left_are_those_of_the_page_of_the_search(state: SearchState, db: None) -> None:
    search = make_search(state=state, planned_trials=20)
    make_trials(search, [0.2, None, 0.3])
    Trial.objects.filter(number=1).update(train_seconds=6.0)
    make_trials(search, [0.1, 0.1], start=4)
    Trial.objects.filter(number__gte=4).update(state=RunState.RUNNING, reward=None)
    found, page = home_overview().running[0], progress(search)
    assert (found.progress.done, found.progress.running, found.progress.percent) == (page.done, page.running, page.percent) == (3, 2, 15.0)
    assert found.progress.eta == page.eta
    assert found.seconds_left == (17 * 4.0 / 2 if state == SearchState.RUNNING else None), "17 trials of 4 s, two at once"


def test_what_is_left_of_the_budgets_is_told(signed_in: Client) -> None:
    search = make_search(plan=SearchPlan(random_arm=False, budget=Budget(epochs=1000)).to_json())
    Arm.objects.create(search=search, name=ArmName.CONTROLLER, proposed=1, told=1, epochs=250)
    assert [(line.name, line.left) for line in home_overview().running[0].budgets] == [("epochs", 750)]
    assert "750 of 1,000" in signed_in.get("/").content.decode()


def test_workers_are_counted_by_what_they_do(db: None) -> None:
    facts: dict[str, Any] = {"slots": 1, "threads": 1, "device": "CPU"}
    for name, queues in (("busy@a", ["trials"]), ("idle@a", ["trials"]), ("control@a", ["control"]), ("leaving@a", ["trials"])):
        worker_seen(name=name, queues=queues, starts=True, **facts)
    worker_drain(worker_id=Worker.objects.get(name="leaving@a").pk, drain=True)
    make_trials(make_search(), [0.1])
    Trial.objects.update(state=RunState.RUNNING, worker="busy@a/7", started_at=timezone.now())
    counts = home_overview().workers
    assert (counts.alive, counts.working, counts.free, counts.training) == (4, 1, 2, 2)


def test_what_is_archived_is_not_recent(db: None) -> None:
    make_dataset(name="Kept")
    make_dataset(name="Put away", archived_at=timezone.now() - timedelta(days=1))
    assert [dataset.name for dataset in home_overview().datasets] == ["Kept"]


def test_the_number_of_queries_does_not_grow_with_the_searches(db: None) -> None:
    def counted() -> int:
        with CaptureQueriesContext(connection) as queries:
            home_overview()
        return len(queries)

    make_trials(make_search(), [0.2, 0.3])
    make_trials(make_search(state=SearchState.FINISHED), [0.2])
    one = counted()
    for _ in range(7):
        make_trials(make_search(), [0.1, 0.2, 0.3])
    assert counted() == one
    assert len(home_overview().running) == 6


def test_a_sample_that_could_not_be_fetched_says_so_at_home(signed_in: Client) -> None:
    make_dataset(name="MovieLens-100K", filename="interactions.tsv", state=DatasetState.INVALID, message="No network.", source_blob="")
    text = signed_in.get("/").content.decode()
    assert "No network." in text
    assert re.search(rf'action="{reverse("sample_shop")}".*?btn-primary', text, re.DOTALL)
