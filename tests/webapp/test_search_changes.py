from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from gnn.catalogue import build_space
from gnn.plan import Budget, SearchPlan
from tests.webapp.factories import make_search, make_trial
from webapp.enums import ArmName, SearchState
from webapp.models import Arm, Search, Trial
from webapp.queue import ADVANCE_SEARCH, RUN_TRIAL, app
from webapp.selectors.rounds import plan_of

SPACE = build_space({"node_dim": (16, 32), "layers": (1, 2), "operator": ("gcn", "gat")})
GCN = {"node_dim": 16, "layers": 1, "operator.1": "gcn"}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the tasks that were enqueued."""
    names: list[str] = []
    monkeypatch.setattr(app, "send_task", lambda task, args, queue: names.append(task))
    return names


def typed(client: Client, search: Search, **changes: Any) -> dict[str, Any]:
    """What the browser would send for the form as it is shown, with ``changes``."""
    form = client.get(reverse("search_extend", args=[search.pk])).context["form"]
    data = {name: form[name].value() for name in form.fields}
    return {name: "" if value is None else value for name, value in (data | changes).items()}


def said(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def enqueue(client: Client, search: Search, document: Any) -> Any:
    text = document if isinstance(document, str) else json.dumps(document)
    return client.post(reverse("search_enqueue", args=[search.pk]), {"architecture": text}, follow=True)


def test_extending_adds_trials_and_wakes_the_controller(
    signed_in: Client, sent: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    search = make_search(planned_trials=10, spent="the budget of 50 epochs is spent", plan=SearchPlan(budget=Budget(epochs=50)).to_json())
    with django_capture_on_commit_callbacks(execute=True):
        response = signed_in.post(reverse("search_extend", args=[search.pk]), typed(signed_in, search, trials=5), follow=True)
    search.refresh_from_db()
    assert (search.planned_trials, search.spent, sent) == (15, "", [ADVANCE_SEARCH])
    assert plan_of(search).budget == Budget(epochs=50)
    assert said(response) == ["Extended: 15 trials are planned in each arm."]


def test_a_new_budget_takes_the_place_of_the_old_one(signed_in: Client, sent: list[str]) -> None:
    search = make_search(planned_trials=10, plan=SearchPlan(budget=Budget(epochs=50, seconds=90)).to_json())
    data = typed(signed_in, search, trials=0, budget_epochs="", budget_worker_minutes=3, budget_target=0.5, budget_stale_trials=7)
    assert data["budget_minutes"] == 1.5
    signed_in.post(reverse("search_extend", args=[search.pk]), data)
    search.refresh_from_db()
    assert plan_of(search).budget == Budget(seconds=90, worker_seconds=180, target=0.5, stale_trials=7)
    assert search.planned_trials == 10


def test_a_second_press_extends_nothing(signed_in: Client, sent: list[str]) -> None:
    search = make_search(planned_trials=10, name="Twice")
    data, url = typed(signed_in, search, trials=5), reverse("search_extend", args=[search.pk])
    signed_in.post(url, data)
    again = signed_in.post(url, data, follow=True)
    search.refresh_from_db()
    assert search.planned_trials == 15
    assert said(again)[1:] == ["Search 'Twice' was extended already: 15 trials are planned now, no longer 10."]


def test_a_finished_search_is_not_extended(signed_in: Client) -> None:
    search = make_search(state=SearchState.FINISHED, name="Over")
    response = signed_in.post(reverse("search_extend", args=[search.pk]), typed(signed_in, search), follow=True)
    assert said(response) == ["Search 'Over' is finished; clone it to search on."]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"trials": -1}, "trials"),
        ({"trials": 100_000}, "trials"),
        ({"budget_target": "nan"}, "budget_target"),
        ({"budget_epochs": 0}, "budget_epochs"),
    ],
)
def test_errors_of_an_extension_are_shown_at_their_field(signed_in: Client, changes: dict[str, Any], field: str) -> None:
    search = make_search(planned_trials=10)
    response = signed_in.post(reverse("search_extend", args=[search.pk]), typed(signed_in, search, **changes))
    assert list(response.context["form"].errors) == [field]
    search.refresh_from_db()
    assert search.planned_trials == 10


def test_an_architecture_by_hand_is_queued(signed_in: Client, sent: list[str], django_capture_on_commit_callbacks: Any) -> None:
    search = make_search(space=SPACE.to_json())
    arm = Arm.objects.create(search=search, name=ArmName.MANUAL)
    with django_capture_on_commit_callbacks(execute=True):
        response = enqueue(signed_in, search, GCN | {"node_dim": 16.0})
    trial = Trial.objects.get()
    arm.refresh_from_db()
    assert (trial.arm, trial.architecture, trial.number, arm.proposed, sent) == ("manual", GCN, 1, 1, [RUN_TRIAL])
    assert response.redirect_chain == [(reverse("trial", args=[search.pk, 1]), 302)]
    assert said(response) == ["Trial 1 is queued."]
    again = enqueue(signed_in, search, GCN)
    assert again.context["form"].non_field_errors() == ["Trial 1 has this architecture already."]
    assert Trial.objects.count() == 1


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "Not JSON at line 1, column 2"),
        ("[" * 15_000, "Nested too deeply"),
        ("[1]", "An architecture is an object"),
        (GCN | {"node_dim": 7}, "'node_dim' is 7, but the space offers [16, 32]."),
        (GCN | {"node_dim": [16]}, "'node_dim' is [16], but the space offers [16, 32]."),
        (GCN | {"operator.2": "gcn"}, "The architecture decides ['operator.2']"),
        ({"node_dim": 16, "layers": 1}, "The architecture has no choice for 'operator.1'."),
        ("", "This field is required."),
    ],
)
def test_what_is_no_architecture_of_the_space_is_refused(signed_in: Client, document: Any, message: str) -> None:
    response = enqueue(signed_in, make_search(space=SPACE.to_json()), document)
    assert message in response.context["form"].errors["architecture"][0]
    assert not Trial.objects.exists()


def test_nothing_is_enqueued_in_a_search_that_is_over(signed_in: Client) -> None:
    response = enqueue(signed_in, make_search(space=SPACE.to_json(), state=SearchState.STOPPED, name="Over"), GCN)
    assert "Search &#x27;Over&#x27; is stopped, so nothing more can be trained in it." in response.content.decode()
    assert not Trial.objects.exists()


def test_a_variation_starts_from_the_architecture_of_its_trial(signed_in: Client) -> None:
    search = make_search(space=SPACE.to_json())
    make_trial(search, 1, architecture=GCN)
    make_trial(search, 2, architecture=GCN | {"node_dim": 32})
    url = reverse("search_enqueue", args=[search.pk])

    def shown(trial: str) -> Any:
        return json.loads(signed_in.get(url, {"trial": trial}).context["form"]["architecture"].value())

    assert (shown("1"), shown("2")) == (GCN, GCN | {"node_dim": 32})
    assert list(shown("1")) == ["node_dim", "layers", "operator.1"]
    assert shown("") == shown("²") == shown("2")
    assert signed_in.get(url, {"trial": "77"}).context["form"]["architecture"].value() is None
    assert f"{url}?trial=1" in signed_in.get(reverse("trial", args=[search.pk, 1])).content.decode()


@pytest.mark.parametrize(("state", "offered"), [("running", True), ("paused", True), ("finishing", False), ("finished", False)])
def test_only_a_search_that_can_take_more_offers_it(signed_in: Client, state: str, offered: bool) -> None:
    search = make_search(state=state)
    make_trial(search, 1)
    head = signed_in.get(reverse("search_head", args=[search.pk])).content.decode()
    trial = signed_in.get(reverse("trial", args=[search.pk, 1])).content.decode()
    assert (reverse("search_extend", args=[search.pk]) in head, reverse("search_enqueue", args=[search.pk]) in head) == (offered, offered)
    assert (reverse("search_enqueue", args=[search.pk]) in trial) is offered


@pytest.mark.parametrize("name", ["search_extend", "search_enqueue"])
def test_a_search_that_does_not_exist_is_not_found(signed_in: Client, name: str) -> None:
    assert signed_in.get(reverse(name, args=[12345])).status_code == 404
