from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from gnn.catalogue import build_space, preset_space
from gnn.plan import Budget, Constraints, Rungs, SearchPlan, Term
from gnn.protocol import Protocol
from tests.webapp.factories import (
    make_baseline,
    make_curve,
    make_dataset,
    make_finalist,
    make_search,
    make_space,
    make_trial,
    make_trials,
    make_worker,
    scores_of,
)
from webapp.enums import DatasetState, SearchState
from webapp.models import Baseline, Search
from webapp.queue import ADVANCE_SEARCH, RUN_BASELINE, app
from webapp.selectors.searches_live import POINTS_AT_ONCE


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the tasks that were enqueued."""
    names: list[str] = []
    monkeypatch.setattr(app, "send_task", lambda task, args, queue: names.append(task))
    return names


def form_data(client: Client, **changes: Any) -> dict[str, Any]:
    """What the browser would send for the untouched form of a new search."""
    form = client.get(reverse("search_new")).context["form"]
    data = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in (data | changes).items() if value is not None}


def test_start_freezes_everything_and_opens_the_search(signed_in: Client, sent: list[str], django_capture_on_commit_callbacks: Any) -> None:
    dataset = make_dataset(name="Movies")
    data = form_data(signed_in, dataset=dataset.pk, metric="recall", k=10, planned_trials=7, workers=3, seed=5, controller="reinforce")
    with django_capture_on_commit_callbacks(execute=True):
        response = signed_in.post(reverse("search_new"), data)
    search = Search.objects.get()
    assert response.headers["Location"] == reverse("search", args=[search.pk])
    assert (search.name, search.controller, search.planned_trials, search.workers, search.seed) == (
        "Movies, REINFORCE",
        "reinforce",
        7,
        3,
        5,
    )
    assert search.owner is not None and search.owner.username == "ada"
    assert search.space == preset_space("demo").to_json()
    assert Protocol.from_json(search.protocol) == Protocol(metric="recall", k=10)
    assert sorted(sent) == sorted([RUN_BASELINE] * Baseline.objects.filter(search=search).count() + [ADVANCE_SEARCH])


def test_pressing_start_again_gives_the_same_search(signed_in: Client) -> None:
    data = form_data(signed_in, dataset=make_dataset().pk)
    first = signed_in.post(reverse("search_new"), data)
    again = signed_in.post(reverse("search_new"), data)
    assert first.headers["Location"] == again.headers["Location"]
    assert Search.objects.count() == 1


def test_a_form_taken_back_and_changed_starts_nothing_unseen(signed_in: Client) -> None:
    data = form_data(signed_in, dataset=make_dataset().pk)
    signed_in.post(reverse("search_new"), data)
    first = Search.objects.get()
    changed = signed_in.post(reverse("search_new"), data | {"seed": 9})
    assert f"This form has started search {first.pk} already, with other settings. Press Start again" in changed.content.decode()
    assert Search.objects.count() == 1
    form = changed.context["form"]
    signed_in.post(reverse("search_new"), {name: form[name].value() or "" for name in form.fields})
    assert sorted(Search.objects.values_list("seed", flat=True)) == [1, 9]


def test_each_form_has_a_token_of_its_own(signed_in: Client) -> None:
    make_dataset()
    tokens = {form_data(signed_in)["start_token"] for _ in range(3)}
    assert len(tokens) == 3
    assert all(uuid.UUID(token) for token in tokens)


def test_a_saved_space_can_be_searched(signed_in: Client) -> None:
    held = build_space({"node_dim": (16, 32)})
    space = make_space(held, name="Mine")
    signed_in.post(reverse("search_new"), form_data(signed_in, dataset=make_dataset().pk, space_source=f"saved:{space.pk}"))
    search = Search.objects.get()
    assert (search.space, search.space_version) == (held.to_json(), space.versions.get())


def test_only_ready_datasets_are_offered(signed_in: Client) -> None:
    make_dataset(name="Ready one")
    raw = make_dataset(name="Raw one", state=DatasetState.UPLOADED)
    page = signed_in.get(reverse("search_new")).content.decode()
    assert "Ready one" in page and "Raw one" not in page
    response = signed_in.post(reverse("search_new"), form_data(signed_in, dataset=raw.pk))
    assert "dataset" in response.context["form"].errors
    assert not Search.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"k": 0}, "k"),
        ({"k": 1001}, "k"),
        ({"metric": "auc"}, "metric"),
        ({"controller": "oracle"}, "controller"),
        ({"planned_trials": 0}, "planned_trials"),
        ({"workers": 10_000}, "workers"),
        ({"seed": -1}, "seed"),
        ({"valid_fraction": 0.9}, "valid_fraction"),
        ({"test_fraction": "nan"}, "test_fraction"),
        ({"max_epochs": 0}, "max_epochs"),
        ({"patience": 0}, "patience"),
        ({"finalists": 21}, "finalists"),
        ({"finalist_seeds": 0}, "finalist_seeds"),
        ({"split": "magic"}, "split"),
        ({"space_source": "preset:none"}, "space_source"),
        ({"space_source": "saved:999"}, "space_source"),
        ({"dataset": ""}, "dataset"),
        ({"name": "x" * 10_000}, "name"),
        ({"start_token": "zzz"}, "start_token"),
        ({"valid_fraction": 0.45, "test_fraction": 0.46}, "valid_fraction"),
        ({"split": "k_fold", "folds": 4, "fold": 4}, "fold"),
        ({"space_source": "search:999"}, "space_source"),
        ({"rungs": "magic"}, "rungs"),
        ({"rungs_first": 0}, "rungs_first"),
        ({"rungs_factor": 1}, "rungs_factor"),
        ({"rungs_count": ""}, "rungs_count"),
        ({"reward": "k_fold", "rungs": "off"}, "reward"),
        ({"reward": "k_fold", "split": "k_fold"}, "reward"),
        ({"max_parameters": 1}, "max_parameters"),
        ({"max_memory_mib": 0}, "max_memory_mib"),
        ({"max_latency_ms": 0}, "max_latency_ms"),
        ({"max_train_seconds": "inf"}, "max_train_seconds"),
        ({"budget_epochs": 0}, "budget_epochs"),
        ({"budget_minutes": -1}, "budget_minutes"),
        ({"budget_worker_minutes": 0}, "budget_worker_minutes"),
        ({"budget_target": "nan"}, "budget_target"),
        ({"budget_stale_trials": 0}, "budget_stale_trials"),
    ],
)
def test_errors_are_shown_at_their_field(signed_in: Client, changes: dict[str, Any], field: str) -> None:
    dataset = make_dataset(profile={"users": 50, "items": 40, "pairs": 600})
    response = signed_in.post(reverse("search_new"), form_data(signed_in, dataset=dataset.pk) | changes)
    assert response.status_code == 200
    assert list(response.context["form"].errors) == [field]
    assert not Search.objects.exists()


def test_a_folded_field_with_an_error_is_unfolded(signed_in: Client) -> None:
    data = form_data(signed_in, dataset=make_dataset().pk)
    for changes, unfolded in (({"patience": 0}, [" open", ""]), ({"budget_epochs": 0}, ["", " open"]), ({"k": 0}, ["", ""])):
        page = signed_in.post(reverse("search_new"), data | changes).content.decode()
        assert re.findall(r'<details class="panel"( open)?>', page) == unfolded


@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        ("ndcg@20 1\n\nrecall", "Line 3: 'recall' must be a measure, a space and its weight"),
        ("ndcg@20 1 2", "Line 1: 'ndcg@20 1 2' must be"),
        ("ndcg@20 1\nrecall@20 much", "Line 2: The weight 'much' must be a number from 0 to 1,000,000."),
        ("ndcg@20 nan", "Line 1: The weight 'nan' must be"),
        ("ndcg@20 -1", "Line 1: The weight '-1' must be"),
        ("ndcg@20 1\nndcg@7 1", "Line 2: 'ndcg@7' is not measured"),
        ("ndcg@20 1\nrecall@20 1\nndcg@20 2", "Line 3: ndcg@20 is on line 1 already."),
        ("ndcg@20 0\nrecall@20 0", "All weights are 0"),
    ],
)
def test_a_bad_objective_names_its_line(signed_in: Client, objectives: str, message: str) -> None:
    response = signed_in.post(reverse("search_new"), form_data(signed_in, dataset=make_dataset().pk) | {"objectives": objectives})
    (found,) = response.context["form"].errors["objectives"]
    assert found.startswith(message)
    assert not Search.objects.exists()


@pytest.mark.parametrize(
    ("changes", "rungs"),
    [
        ({}, Rungs(by="epochs", first=3, factor=3, count=4)),
        ({"max_epochs": 4}, Rungs()),
        ({"max_epochs": 3}, None),
        ({"rungs": "off"}, None),
        ({"rungs": "data", "max_epochs": 2, "rungs_factor": 2}, Rungs(by="data", factor=2)),
    ],
)
def test_an_untouched_plan_has_rungs_where_they_fit(signed_in: Client, changes: dict[str, Any], rungs: Rungs | None) -> None:
    signed_in.post(reverse("search_new"), form_data(signed_in, dataset=make_dataset().pk) | changes)
    assert Search.objects.get().plan == SearchPlan(standard_first=True, rungs=rungs).to_json()


WHOLE_PLAN = {
    "controller": "tpe", "split": "k_fold", "folds": 4, "fold": 2, "rungs": "data", "rungs_first": 6, "rungs_factor": 2, "rungs_count": 4,
    "median_stop": "on", "random_arm": "", "standard_first": "", "inherit": "on", "prior": "on",
    "objectives": "recall@10 1\nparameters 0.25",
    "max_parameters": 900_000, "max_memory_mib": 512, "max_latency_ms": 2.5, "max_train_seconds": 60, "budget_epochs": 300,
    "budget_minutes": 1.5, "budget_worker_minutes": 3, "budget_target": 0.4, "budget_stale_trials": 12,
}  # fmt: skip


def test_every_setting_of_a_plan_is_frozen_and_can_be_cloned(signed_in: Client) -> None:
    dataset = make_dataset(profile={"users": 50, "items": 40, "pairs": 600})
    signed_in.post(reverse("search_new"), form_data(signed_in, dataset=dataset.pk) | WHOLE_PLAN)
    first = Search.objects.get()
    assert SearchPlan.from_json(first.plan) == SearchPlan(
        rungs=Rungs(by="data", first=6, factor=2, count=4),
        median_stop=True,
        random_arm=False,
        inherit=True,
        prior=True,
        objectives=(Term(measure="recall@10", weight=1), Term(measure="parameters", weight=0.25)),
        constraints=Constraints(max_parameters=900_000, max_memory_mib=512, max_latency_ms=2.5, max_train_seconds=60),
        budget=Budget(epochs=300, seconds=90, worker_seconds=180, target=0.4, stale_trials=12),
    )
    form = signed_in.get(reverse("search_new"), {"clone": first.pk}).context["form"]
    data = {name: value for name in form.fields if (value := form[name].value()) is not None}
    signed_in.post(reverse("search_new"), data)
    second = Search.objects.exclude(pk=first.pk).get()
    for field in ("name", "dataset_id", "space", "protocol", "controller", "planned_trials", "workers", "seed", "plan"):
        assert getattr(second, field) == getattr(first, field), field


def test_a_clone_keeps_a_space_that_is_saved_nowhere(signed_in: Client) -> None:
    document = build_space({"node_dim": (16, 48)}).to_json()
    search = make_search(space=document, name="Evening run")
    assert f'href="/searches/new/?clone={search.pk}"' in signed_in.get(reverse("search_head", args=[search.pk])).content.decode()
    page = signed_in.get(reverse("search_new"), {"clone": search.pk})
    assert f"the space of search {search.pk}" in page.content.decode()
    form = page.context["form"]
    signed_in.post(reverse("search_new"), {name: value for name in form.fields if (value := form[name].value()) is not None})
    assert list(Search.objects.order_by("pk").values_list("space", "name")) == [(document, "Evening run")] * 2


@pytest.mark.parametrize("clone", ["999", "x", "", "²", "9" * 40])
def test_what_is_no_search_cannot_be_cloned(signed_in: Client, clone: str) -> None:
    assert signed_in.get(reverse("search_new"), {"clone": clone}).status_code == 404


def test_the_form_says_when_there_is_no_worker_or_no_dataset(signed_in: Client) -> None:
    assert "First, a dataset" in signed_in.get(reverse("search_new")).content.decode()
    make_dataset()
    assert "No worker is running" in signed_in.get(reverse("search_new")).content.decode()
    make_worker()
    assert "No worker is running" not in signed_in.get(reverse("search_new")).content.decode()


def test_links_choose_the_dataset_and_the_space(signed_in: Client) -> None:
    dataset = make_dataset()
    form = signed_in.get(reverse("search_new"), {"dataset": dataset.pk, "space_source": "preset:full"}).context["form"]
    assert (str(form["dataset"].value()), form["space_source"].value()) == (str(dataset.pk), "preset:full")


# --- the page of a search ---


def test_the_page_of_a_search_shows_what_it_reached(signed_in: Client) -> None:
    make_worker()
    search = make_search(name="Evening run", planned_trials=8)
    make_trials(search, [0.21, None, 0.31])
    make_baseline(search, "ease", 0.35)
    text = signed_in.get(reverse("search", args=[search.pk])).content.decode()
    assert "Evening run" in text
    assert '<span data-live="done">3</span> of <span data-live="planned">8</span>' in text
    assert '<span data-live="best">0.3100</span>' in text
    assert "No architecture beats EASE so far" in text
    figure = json.loads(re.search(r'<script id="reward-figure" type="application/json">(.*?)</script>', text, re.S).group(1))  # type: ignore[union-attr]
    traces = {trace["meta"]: trace for trace in figure["data"]}
    assert (traces["scored:controller"]["x"], traces["scored:controller"]["y"]) == ([1, 3], [0.21, 0.31])
    assert traces["failed"]["x"] == [2]
    assert traces["baseline:ease"]["y"] == [0.35, 0.35]


def test_test_scores_appear_only_on_a_finished_search(signed_in: Client) -> None:
    search = make_search(state=SearchState.FINISHING)
    trial = make_trials(search, [0.31])[0]
    make_finalist(trial, [0.4321, 0.4323])
    make_baseline(search, "ease", 0.2, test=0.2345)
    pages = [reverse("search", args=[search.pk]), reverse("search_results", args=[search.pk])]
    for url in pages:
        text = signed_in.get(url).content.decode()
        assert "0.4322" not in text and "0.2345" not in text
        assert "2 of 2 runs are done" in text
    Search.objects.update(state=SearchState.FINISHED, message="Trial 1 wins.")
    for url in pages:
        text = signed_in.get(url).content.decode()
        assert "0.4322 ± 0.0001" in text and "0.2345" in text
    assert "Trial 1 wins." in signed_in.get(pages[0]).content.decode()


def test_live_gives_what_is_new_since_the_cursor(signed_in: Client) -> None:
    search = make_search(planned_trials=8, protocol=Protocol(max_epochs=60))
    make_trials(search, [0.21, None, 0.31])
    make_baseline(search, "ease", 0.25)
    running = make_trial(search, 4)
    make_curve(running, [0.1, 0.12, 0.14])
    url = reverse("search_live", args=[search.pk])
    answer = signed_in.get(url, {"after": 1}).json()
    assert (answer["cursor"], answer["retry_ms"] <= 2000, answer["percent"]) == (3, True, 37.5)
    assert answer["series"] == {
        "scored:controller": {"x": [3], "y": [0.31], "customdata": [[3]]},
        "best:controller": {"x": [3], "y": [0.31], "customdata": [[3]]},
        "mean:controller": {"x": [3], "y": [0.26], "customdata": [[3]]},
        "failed": {"x": [2], "y": [0.03], "customdata": [[2, "Diverged"]]},
    }
    assert [(row["name"], row["epoch"], row["percent"], row["score"]) for row in answer["rows"]] == [
        ("Trial 4", "epoch 3 of 60", 5.0, "0.1400")
    ]
    assert [trace["meta"] for trace in answer["traces"]] == ["scored:controller", "best:controller", "mean:controller", "baseline:ease"]
    assert (answer["fields"]["done"], answer["fields"]["failed"], answer["fields"]["best"]) == ("3", "1", "0.3100")
    nothing = signed_in.get(url, {"after": 3}).json()
    assert (nothing["cursor"], nothing["version"]) == (3, answer["version"])
    assert nothing["series"] == {"failed": {"x": [], "y": [], "customdata": []}}
    make_trials(search, [0.4], start=5)
    assert signed_in.get(url, {"after": 3}).json()["version"] != answer["version"]


@pytest.mark.parametrize("state", [SearchState.FINISHED, SearchState.STOPPED, SearchState.FAILED])
def test_live_ends_with_the_search(signed_in: Client, state: SearchState) -> None:
    search = make_search(state=state)
    assert signed_in.get(reverse("search_live", args=[search.pk])).json()["retry_ms"] is None
    assert 'data-live-retry=""' in signed_in.get(reverse("search", args=[search.pk])).content.decode()


def test_a_page_that_slept_through_the_end_of_a_long_search_fetches_all_of_its_outcomes(signed_in: Client) -> None:
    search = make_search(state=SearchState.FINISHED, planned_trials=POINTS_AT_ONCE + 1)
    make_trials(search, [0.2] * (POINTS_AT_ONCE + 1))
    url = reverse("search_live", args=[search.pk])
    first = signed_in.get(url).json()
    assert (first["cursor"], first["retry_ms"], first["rows"]) == (POINTS_AT_ONCE, 1500, [])
    last = signed_in.get(url, {"after": first["cursor"]}).json()
    assert (last["cursor"], last["retry_ms"]) == (POINTS_AT_ONCE + 1, None)


@pytest.mark.parametrize(
    "plan",
    [
        SearchPlan(random_arm=False, objectives=(Term(measure="ndcg@20", weight=1), Term(measure="parameters", weight=0.1))),
        SearchPlan(random_arm=False, constraints=Constraints(max_latency_ms=1.0)),
    ],
)
def test_rewards_that_are_more_than_the_metric_are_not_shown_as_it(signed_in: Client, plan: SearchPlan) -> None:
    search = make_search(plan=plan.to_json())
    make_trial(search, 1, state="completed", reward=-0.2, scores=scores_of(0.31), told_order=1)
    make_baseline(search, "ease", 0.25)
    response = signed_in.get(reverse("search", args=[search.pk]))
    figure = response.context["figure"]
    assert figure["layout"]["yaxis"]["title"]["text"] == "Validation Reward"
    assert not [trace["name"] for trace in figure["data"] if "EASE" in trace["name"]]
    assert "Best Reward so far" in response.content.decode()
    traces = signed_in.get(reverse("search_live", args=[search.pk])).json()["traces"]
    assert not [trace["name"] for trace in traces if "EASE" in trace["name"]]
    assert re.search(r"-0\.2000 <span[^>]*>Reward<", signed_in.get(reverse("searches")).content.decode())


def test_the_page_says_what_was_frozen(signed_in: Client) -> None:
    protocol = Protocol(split="temporal", metric="recall", k=5, patience=9)
    context = signed_in.get(reverse("search", args=[make_search(protocol=protocol).pk])).context
    rows = dict(context["protocol_words"])
    assert rows["Hold out"] == "By time: train on the past, test on the future"
    assert (rows["Metric to maximise"], rows["K"], rows["Patience"], rows["Reported at K"]) == ("Recall", "5", "9", "5, 10, 20")
    assert dict(context["space_words"])["Network structure"] == "LightGCN, GCN, GAT, GraphSAGE"


@pytest.mark.parametrize("after", ["-1", "x", "1.5", "9" * 30, "²", ""])
def test_live_refuses_a_cursor_that_is_no_number(signed_in: Client, after: str) -> None:
    response = signed_in.get(reverse("search_live", args=[make_search().pk]), {"after": after})
    assert response.status_code == 400
    assert "must be a whole number" in response.json()["error"]


@pytest.mark.parametrize("trials", [2, 70])
def test_pages_take_a_constant_number_of_queries(signed_in: Client, django_assert_num_queries: Any, trials: int) -> None:
    search = make_search(planned_trials=100)
    make_trials(search, [0.2 + 0.001 * index for index in range(trials)])
    make_baseline(search, "ease", 0.25)
    signed_in.get("/")  # the session is read from now on
    more = int(trials > 50)  # one query for the true ranks of baselines below the shown trials
    with django_assert_num_queries(17 + more):
        signed_in.get(reverse("search", args=[search.pk]))
    with django_assert_num_queries(13):
        signed_in.get(reverse("search_live", args=[search.pk]), {"after": 1})
    with django_assert_num_queries(11):  # nothing new: no moving mean goes on from the last scores of the two arms
        signed_in.get(reverse("search_live", args=[search.pk]), {"after": trials})


def test_the_curve_of_a_long_search_is_down_sampled(signed_in: Client) -> None:
    search = make_search(planned_trials=5000)
    make_trials(search, [0.2 + 0.0001 * (index % 7) for index in range(2500)])
    figure = signed_in.get(reverse("search", args=[search.pk])).context["figure"]
    assert 800 < len(figure["data"][0]["x"]) <= 1000
    assert figure["data"][0]["x"][-1] == 2500


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [("pause", "running", "paused"), ("resume", "paused", "running"), ("stop", "running", "stopped"), ("stop", "paused", "stopped")],
)
def test_buttons_change_the_state(signed_in: Client, sent: list[str], action: str, before: str, after: str) -> None:
    search = make_search(state=before)
    url = reverse("search_action", args=[search.pk, action])
    assert signed_in.get(url).status_code == 405
    response = signed_in.post(url, follow=True)
    search.refresh_from_db()
    assert search.state == after
    assert response.redirect_chain == [(reverse("search", args=[search.pk]), 302)]


def test_finish_now_ends_the_budget_at_what_was_asked_for(signed_in: Client, sent: list[str]) -> None:
    search = make_search(planned_trials=50)
    make_trials(search, [0.2, 0.3])
    signed_in.post(reverse("search_action", args=[search.pk, "finish"]))
    search.refresh_from_db()
    assert search.spent == "a person asked to finish now"


def test_an_action_that_does_not_fit_becomes_a_message(signed_in: Client) -> None:
    search = make_search(state=SearchState.FINISHED, name="Done one")
    response = signed_in.post(reverse("search_action", args=[search.pk, "pause"]), follow=True)
    assert [str(message) for message in response.context["messages"]] == ["Search 'Done one' is finished, so it cannot be paused."]


@pytest.mark.parametrize(
    ("state", "offered"),
    [
        ("running", {"pause", "finish", "stop"}),
        ("finishing", {"pause", "stop"}),
        ("paused", {"resume", "stop"}),
        ("finished", set()),
        ("failed", set()),
    ],
)
def test_only_buttons_that_fit_are_offered(signed_in: Client, state: str, offered: set[str]) -> None:
    search = make_search(state=state)
    text = signed_in.get(reverse("search_head", args=[search.pk])).content.decode()
    assert set(re.findall(rf'action="/searches/{search.pk}/(\w+)/"', text)) == offered


def test_a_failed_search_says_why(signed_in: Client) -> None:
    search = make_search(state=SearchState.FAILED, message="The first 8 trials all failed.")
    text = signed_in.get(reverse("search", args=[search.pk])).content.decode()
    assert re.search(r"alert-danger[^>]*>.*The first 8 trials all failed\.", text, re.S)


def test_the_trials_table_keeps_its_state_in_the_url(signed_in: Client) -> None:
    search = make_search(planned_trials=60)
    make_trials(search, [0.2 + 0.001 * index for index in range(58)] + [None, None])
    how = {"state": "completed", "sort": "-reward", "size": "25", "page": "2"}
    for name in ("search", "search_trials"):
        response = signed_in.get(reverse(name, args=[search.pk]), how)
        assert [row.trial.number for row in response.context["table"].rows] == list(range(33, 8, -1))
        text = response.content.decode()
        assert "26 to 50 of 58" in text
        assert 'aria-sort="descending"' in text
        # A link of the table changes one thing and keeps the rest, except the page.
        assert f'hx-push-url="{reverse("search", args=[search.pk])}?state=completed&amp;sort=reward&amp;size=25"' in text
        assert f'hx-get="{reverse("search_trials", args=[search.pk])}?state=failed&amp;sort=-reward&amp;size=25"' in text


def test_hostile_values_in_the_url_fall_back(signed_in: Client) -> None:
    search = make_search()
    make_trials(search, [0.2])
    hostile = {"state": "'; drop table", "sort": "__class__", "size": "-1", "page": "9" * 50}
    response = signed_in.get(reverse("search_trials", args=[search.pk]), hostile)
    assert [row.trial.number for row in response.context["table"].rows] == [1]
    for name in ("datasets", "spaces", "searches"):
        assert signed_in.get(reverse(name), {"q": "A\0 search", "page": "\0"}).status_code == 200


def test_hostile_names_and_messages_are_escaped(signed_in: Client) -> None:
    evil = "</script><script>alert(1)</script>"
    search = make_search(name=evil, message=evil, state=SearchState.FAILED, dataset=make_dataset(name=evil))
    make_trial(search, 1, state="failed", failure="error", message=evil, told_order=1)
    make_baseline(search, "ease", None, state="failed", message=evil)
    for url in (reverse("search", args=[search.pk]), reverse("searches"), reverse("home"), reverse("trial", args=[search.pk, 1])):
        text = signed_in.get(url).content.decode()
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert" in text


def test_the_list_of_searches_filters(signed_in: Client) -> None:
    make_search(name="Alpha", state=SearchState.FINISHED)
    make_search(name="Beta")
    response = signed_in.get(reverse("searches"), {"state": "finished", "q": "alp"})
    assert [row.search.name for row in response.context["rows"]] == ["Alpha"]
    assert ("finished", "Finished", 1) in response.context["states"]
    assert "No search fits this filter" in signed_in.get(reverse("searches"), {"q": "zzz"}).content.decode()


def test_an_empty_list_of_searches_teaches(signed_in: Client) -> None:
    assert "No search yet" in signed_in.get(reverse("searches")).content.decode()


@pytest.mark.parametrize("name", ["search", "search_head", "search_results", "search_live", "search_trials"])
def test_a_search_that_does_not_exist_is_not_found(signed_in: Client, name: str) -> None:
    assert signed_in.get(reverse(name, args=[12345])).status_code == 404


def test_an_action_that_does_not_exist_is_not_found(signed_in: Client) -> None:
    search = make_search()
    assert signed_in.post(f"/searches/{search.pk}/explode/").status_code == 404
    assert signed_in.post(reverse("search_action", args=[12345, "stop"])).status_code == 404
