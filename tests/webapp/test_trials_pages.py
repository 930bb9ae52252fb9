from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from gnn.plan import Rungs, SearchPlan
from gnn.protocol import Protocol
from tests.webapp.factories import make_curve, make_finalist, make_search, make_trial, make_trials
from webapp.enums import RunState, SearchState
from webapp.models import Search, Trial


def page(client: Client, trial: Trial) -> str:
    return client.get(reverse("trial", args=[trial.search_id, trial.number])).content.decode()


def figure(text: str, name: str) -> dict[str, Any]:
    found = re.search(rf'<script id="{name}" type="application/json">(.*?)</script>', text, re.S)
    assert found is not None
    document: dict[str, Any] = json.loads(found.group(1))
    return document


def test_a_completed_trial_shows_scores_facts_and_curves(signed_in: Client) -> None:
    trial = make_trials(make_search(), [0.3210])[0]
    Trial.objects.filter(pk=trial.pk).update(worker="trials@host", attempt=2)
    make_curve(trial, [0.1, 0.3210, 0.2])
    text = page(signed_in, trial)
    for expected in ("0.3210", "1,001", "2.0 s", "trials@host", "Node embedding size"):
        assert expected in text
    assert re.search(r"Precision</th>\s*<td[^>]*>0\.0642</td>\s*<td[^>]*>0\.1284</td>", text)  # @10 and @20
    traces = {trace["meta"]: trace for trace in figure(text, "metrics-figure")["data"]}
    assert list(traces) == ["precision@20", "recall@20", "f1@20", "ndcg@20"]
    assert (traces["ndcg@20"]["x"], traces["ndcg@20"]["y"]) == ([1, 2, 3], [0.1, 0.321, 0.2])
    assert figure(text, "loss-figure")["data"][0]["y"] == [4.9, 4.8, 4.7]
    assert 'data-live-retry=""' in text


def test_the_k_of_the_objective_has_its_own_column(signed_in: Client) -> None:
    search = make_search(protocol=Protocol(metric="f1", k=5))
    trial = make_trial(search, 1, state=RunState.COMPLETED, reward=0.12, scores={"f1@5": 0.12, "f1@10": 0.11})
    text = page(signed_in, trial)
    assert re.findall(r'class="num">@(\d+)<', text) == ["5", "10", "20"]
    assert re.search(r'fw-semibold">0\.1200</td>', text)
    assert "–" in text


def test_metrics_of_no_list_stand_below_the_others(signed_in: Client) -> None:
    scores = {"ndcg@10": 0.2, "ndcg@20": 0.25, "auc": 0.9123}
    trial = make_trial(make_search(), 1, state=RunState.COMPLETED, reward=0.25, scores=scores)
    assert re.search(r'AUC</th>\s*<td colspan="2" class="num">0\.9123</td>', page(signed_in, trial))


def test_a_failed_trial_shows_the_reason_and_no_score(signed_in: Client) -> None:
    trial = make_trials(make_search(), [None])[0]
    text = page(signed_in, trial)
    assert "Diverged.</strong> The loss became nan." in text
    assert "A trial that failed has no score." in text
    assert "0.0100" not in text  # the penalty is the controller's business


def test_the_test_numbers_of_a_finalist_wait_for_the_end(signed_in: Client) -> None:
    search = make_search(state=SearchState.FINISHING)
    trial = make_trials(search, [0.3])[0]
    make_finalist(trial, [0.4320, 0.4340])
    assert "0.4330" not in page(signed_in, trial)
    assert "A finalist: 2 seeds are trained again." in page(signed_in, trial)
    Search.objects.update(state=SearchState.FINISHED)
    text = page(signed_in, trial)
    assert "0.4330 ± 0.0014" in text
    assert "mean ± standard deviation over 2 seeds" in text


def test_a_trial_that_is_no_finalist_has_no_test(signed_in: Client) -> None:
    trial = make_trials(make_search(state=SearchState.FINISHED), [0.3])[0]
    assert 'id="test-title"' not in page(signed_in, trial)


def test_live_appends_epochs_while_the_trial_runs(signed_in: Client) -> None:
    trial = make_trial(make_search(), 1, epochs=3)
    make_curve(trial, [0.1, 0.2, 0.3])
    assert '<span data-live="latest">0.3000</span>' in page(signed_in, trial)
    url = reverse("trial_live", args=[trial.search_id, 1])
    answer = signed_in.get(url, {"after": 2}).json()
    assert (answer["cursor"], answer["retry_ms"]) == (3, 1500)
    assert answer["series"]["ndcg@20"] == {"x": [3], "y": [0.3]}
    assert answer["series"]["loss"] == {"x": [3], "y": [4.7]}
    assert answer["fields"] == {"epochs": "3", "latest": "0.3000"}
    nothing = signed_in.get(url, {"after": 3}).json()
    assert (nothing["cursor"], nothing["series"]["loss"]["x"], nothing["version"]) == (3, [], answer["version"])
    Trial.objects.update(state=RunState.COMPLETED)
    ended = signed_in.get(url, {"after": 3}).json()
    assert ended["retry_ms"] is None
    assert ended["version"] != answer["version"]


def test_live_ends_when_the_search_does(signed_in: Client) -> None:
    trial = make_trial(make_search(state=SearchState.STOPPED), 1, state=RunState.QUEUED)
    assert signed_in.get(reverse("trial_live", args=[trial.search_id, 1])).json()["retry_ms"] is None


def test_a_trial_says_who_proposed_it_how_far_it_came_and_what_it_shares(signed_in: Client) -> None:
    search = make_search(plan=SearchPlan(rungs=Rungs(first=4, factor=3, count=3)).to_json())
    donor, twin = make_trials(search, [0.3, 0.2])
    first = page(signed_in, donor)
    assert "<dt>Rung</dt><dd>1 of 3</dd>" in first and "<dt>Proposed by</dt><dd>Controller</dd>" in first
    for name in ("Ended", "Embeddings from", "Results of"):
        assert f"<dt>{name}</dt>" not in first
    Trial.objects.filter(pk=twin.pk).update(arm="random", rung=1, ending="rung", inherited_from=donor, same_as=donor)
    text = page(signed_in, twin)
    link = f'<a href="{reverse("trial", args=[search.pk, 1])}">Trial 1</a>'
    for name, value in (
        ("Proposed by", "Random search"),
        ("Rung", "2 of 3"),
        ("Ended", "Not promoted from its rung"),
        ("Embeddings from", link),
        ("Results of", link),
    ):
        assert f"<dt>{name}</dt><dd>{value}</dd>" in text


def test_a_trial_without_rungs_names_none(signed_in: Client) -> None:
    assert "<dt>Rung</dt>" not in page(signed_in, make_trials(make_search(), [0.3])[0])


def test_a_trial_takes_a_constant_number_of_queries(signed_in: Client, django_assert_num_queries: Any) -> None:
    trial = make_trials(make_search(), [0.3])[0]
    make_curve(trial, [0.1] * 200)
    signed_in.get("/")
    with django_assert_num_queries(6):
        page(signed_in, trial)
    with django_assert_num_queries(4):
        signed_in.get(reverse("trial_live", args=[trial.search_id, 1]), {"after": 1})


def test_a_very_long_message_does_not_fill_the_page(signed_in: Client) -> None:
    trial = make_trial(make_search(), 1, state=RunState.FAILED, failure="error", message="x" * 100_000)
    assert len(page(signed_in, trial)) < 40_000


@pytest.mark.parametrize("name", ["trial", "trial_facts", "trial_live"])
def test_wrong_numbers_are_not_found(signed_in: Client, name: str) -> None:
    search = make_search()
    make_trial(search, 1)
    other = make_search()
    for args in ([search.pk, 2], [other.pk, 1], [999_999, 1]):
        assert signed_in.get(reverse(name, args=args)).status_code == 404


def test_live_refuses_a_cursor_that_is_no_number(signed_in: Client) -> None:
    trial = make_trial(make_search(), 1)
    assert signed_in.get(reverse("trial_live", args=[trial.search_id, 1]), {"after": "x"}).status_code == 400
