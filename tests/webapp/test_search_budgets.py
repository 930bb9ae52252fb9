"""What is left of the budgets of a search, and when the first of them is spent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from gnn.plan import Budget, SearchPlan
from tests.webapp.factories import make_search, make_trial, make_trials
from webapp.models import Arm, Search
from webapp.selectors.budgets import BudgetLine, budget_lines, seconds_left
from webapp.selectors.searches import progress

pytestmark = pytest.mark.django_db

WHOLE = Budget(epochs=100, seconds=1000, worker_seconds=600, stale_trials=8, target=0.5)


def running(budget: Budget) -> tuple[Search, list[Arm]]:
    """Three of ten trials are done, at 2 s each for those with a score, and two run."""
    search = make_search(planned_trials=10, plan=SearchPlan(random_arm=False, budget=budget).to_json())
    Search.objects.update(created_at=timezone.now() - timedelta(seconds=100))
    search.refresh_from_db()
    make_trials(search, [0.2, None, 0.25])
    make_trial(search, 4)
    make_trial(search, 5)
    own = Arm.objects.create(search=search, name="controller", told=3, epochs=20, seconds=30, best_reward=0.25, stale=2)
    return search, [own, Arm.objects.create(search=search, name="random", epochs=70, seconds=60)]


def test_each_budget_says_what_is_left() -> None:
    search, arms = running(WHOLE)
    lines = {line.name: line for line in budget_lines(search, progress(search), arms)}
    assert list(lines) == ["trials", "epochs", "seconds", "worker_seconds", "stale_trials", "target"]
    # Epochs are the controller's, worker time is that of all arms.
    assert [lines[name].left for name in ("trials", "epochs", "worker_seconds", "stale_trials", "target")] == [7, 80, 510, 6, 0.25]
    assert lines["seconds"].left == pytest.approx(900, abs=5)
    assert (lines["trials"].percent, lines["target"].percent) == (30, 50)
    assert (BudgetLine("epochs", "count", 120, 100).left, BudgetLine("epochs", "count", 120, 100).percent) == (0, 100)


def test_without_other_budgets_there_are_the_trials() -> None:
    search, arms = running(Budget())
    assert [line.name for line in budget_lines(search, progress(search), arms)] == ["trials"]
    assert [line.spent for line in budget_lines(search, progress(search), [])] == [3]


@pytest.mark.parametrize(
    ("budget", "left"),
    [
        (Budget(), 7),  # seven trials of 2 s, two at a time
        (Budget(epochs=1000), 7),
        (Budget(epochs=21), 2.25),  # an epoch of the controller came with 4.5 s of training, two at a time
        (Budget(worker_seconds=100), 5),
        (Budget(seconds=103), 3),
    ],
)
def test_the_time_left_is_that_of_the_first_budget_to_be_spent(budget: Budget, left: float) -> None:
    search, arms = running(budget)
    assert seconds_left(search, progress(search), arms) == pytest.approx(left, abs=1)


def test_nothing_is_left_to_wait_for_unless_the_search_runs() -> None:
    search, arms = running(WHOLE)
    search.state = "paused"
    assert seconds_left(search, progress(search), arms) is None


def test_the_head_shows_the_budgets_and_keeps_them_live(signed_in: Client) -> None:
    search, _ = running(WHOLE)
    text = signed_in.get(reverse("search_head", args=[search.pk])).content.decode()
    assert '<span data-live="left-epochs">80 of 100</span>' in text
    assert '<span data-live="left-worker_seconds">8 min 30 s of 10 min 00 s</span>' in text
    assert '<span data-live="left-target">0.2500 of 0.5000</span>' in text
    fields = signed_in.get(reverse("search_live", args=[search.pk])).json()["fields"]
    assert fields["left-stale_trials"] == "6 of 8"
    Search.objects.update(state="finished")
    assert "left-epochs" not in signed_in.get(reverse("search_head", args=[search.pk])).content.decode()


def test_the_head_offers_every_trial_to_download(signed_in: Client) -> None:
    search, _ = running(Budget())
    text = signed_in.get(reverse("search_head", args=[search.pk])).content.decode()
    for name in ("search_trials_csv", "search_trials_json", "search_analyses"):
        assert f'href="{reverse(name, args=[search.pk])}"' in text
