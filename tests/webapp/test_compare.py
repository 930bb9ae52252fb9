from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from gnn.protocol import Protocol
from tests.webapp.factories import make_curve, make_dataset, make_finalist, make_search, make_trial, make_trials
from webapp.enums import RunState, SearchState
from webapp.models import FinalistRun, Search, Trial
from webapp.selectors.compare import best_so_far, contests, decision_diff, differences

pytestmark = pytest.mark.django_db


def page(client: Client, **ids: Any) -> str:
    return client.get(reverse("compare"), ids).content.decode()


def figure(text: str, name: str) -> dict[str, Any]:
    found = re.search(rf'<script id="{name}" type="application/json">(.*?)</script>', text, re.S)
    assert found is not None
    document: dict[str, Any] = json.loads(found.group(1))
    return document


def give_users(trial: Trial, *seeds: list[float]) -> None:
    make_finalist(trial, [float(np.mean(values)) for values in seeds])
    for run, values in zip(FinalistRun.objects.filter(trial=trial).order_by("id"), seeds, strict=True):
        FinalistRun.objects.filter(pk=run.pk).update(test_users=np.array(values, dtype="<f4").tobytes())


def test_differences_of_decisions_are_marked() -> None:
    rows = {
        row.label: row
        for row in decision_diff(
            [{"node_dim": 64, "layers": 1, "operator.1": "gcn"}, {"node_dim": 64, "layers": 2, "operator.1": "gat", "operator.2": "gcn"}]
        )
    }
    assert {label for label, row in rows.items() if row.differs} == {
        "Number of layers",
        "Network structure, layer 1",
        "Network structure, layer 2",
    }
    assert rows["Network structure, layer 2"].cells == ["", "GCN"]
    assert not rows["Node embedding size"].differs


def test_trials_are_shown_in_the_order_asked_for_with_their_curves(signed_in: Client) -> None:
    search = make_search()
    first, second = make_trials(search, [0.2, 0.3])
    make_curve(first, [0.1, 0.2])
    make_curve(second, [0.3])
    text = page(signed_in, trial=[second.pk, first.pk, second.pk])
    traces = figure(text, "curves-figure")["data"]
    assert [(trace["name"], trace["x"], trace["y"]) for trace in traces] == [("Trial 2", [1], [0.3]), ("Trial 1", [1, 2], [0.1, 0.2])]
    assert "not comparable" not in text
    assert "two of those are needed" in text  # no trial was tested


def test_users_are_counted_by_who_serves_them_better(signed_in: Client) -> None:
    search = make_search(state=SearchState.FINISHED)
    first, second, third = make_trials(search, [0.4, 0.3, 0.2])
    give_users(first, [0.5, 0.1, 0.3, 0.8], [0.7, 0.1, 0.3, 0.4])  # means 0.6, 0.1, 0.3, 0.6
    give_users(second, [0.4, 0.2, 0.3, 0.6])
    (contest,) = contests([first, second, third])
    assert contest.result is not None
    assert (contest.result.wins, contest.result.ties, contest.result.losses) == (1, 2, 1)
    assert contest.result.difference == pytest.approx(0.025)
    text = page(signed_in, trial=[first.pk, second.pk])
    assert "1 better, 2 alike, 1 worse" in text and "Trial 1 against Trial 2" in text
    Search.objects.update(state=SearchState.FINISHING)
    assert "better, " not in page(signed_in, trial=[first.pk, second.pk]).split("User by user, on test", 1)[1].split("Decisions", 1)[
        0
    ].replace("Users who are served better, alike, worse", "")


def test_users_of_another_split_are_not_paired(signed_in: Client) -> None:
    dataset = make_dataset()
    one = make_search(dataset=dataset, state=SearchState.FINISHED)
    other = make_search(dataset=dataset, state=SearchState.FINISHED, protocol=Protocol(split_seed=3))
    (first,), (second,) = make_trials(one, [0.4]), make_trials(other, [0.3])
    for trial in (first, second):
        give_users(trial, [0.1, 0.2])
    (contest,) = contests([first, second])
    assert contest.result is None
    text = page(signed_in, trial=[first.pk, second.pk])
    assert "Their scores are not comparable." in text and "They hold out different interactions." in text
    assert "Not judged on the same users by the same metric." in text


def test_what_keeps_scores_apart_is_named() -> None:
    dataset = make_dataset()
    plain = make_search(dataset=dataset)
    assert differences([plain, make_search(dataset=dataset, protocol=Protocol(max_epochs=7))]) == set()
    assert differences([plain, make_search()]) == {"dataset"}
    assert differences([plain, make_search(dataset=dataset, protocol=Protocol(k=10, split="temporal"))]) == {"protocol", "metric"}


def test_the_best_so_far_counts_what_all_trials_spent() -> None:
    search = make_search()
    for number, (score, epochs, seconds) in enumerate(
        [(0.2, 5, 1.0), (None, 3, 0.5), (0.1, 4, 2.0), (0.3, 6, 1.5), (0.25, 2, 1.0)], start=1
    ):
        ended = {"state": RunState.COMPLETED, "scores": {"ndcg@20": score}, "reward": score}
        failed = {"state": RunState.FAILED, "reward": 0.9}
        make_trial(search, number, told_order=number, epochs=epochs, train_seconds=seconds, **(failed if score is None else ended))
    Trial.objects.filter(number=5).update(scores={"ndcg@20": 0.25})
    make_trial(search, 6, told_order=6, epochs=50, train_seconds=9.0, state=RunState.COMPLETED, scores={"ndcg@20": 0.9}, arm="random")
    reached = best_so_far(search)
    assert list(reached.epochs) == [5, 18, 20]
    assert list(reached.seconds) == [1.0, 5.0, 6.0]
    assert list(reached.best) == [0.2, 0.3, 0.3]  # the last point is how long it searched on in vain


def test_searches_stand_side_by_side(signed_in: Client) -> None:
    dataset = make_dataset()
    one, other = make_search(dataset=dataset, name="One"), make_search(dataset=dataset, name="Other", controller="random", seed=5)
    make_trials(one, [0.2, 0.4])
    make_trials(other, [0.3, None])
    text = page(signed_in, search=[one.pk, other.pk])
    assert [trace["name"] for trace in figure(text, "by-seconds-figure")["data"]] == ["One", "Other"]
    assert [trace["y"] for trace in figure(text, "by-epochs-figure")["data"]] == [[0.2, 0.4], [0.3, 0.3]]
    assert "not comparable" not in text
    rows = re.findall(r'<tr( class="differs")?><th scope="row" class="fw-normal">(?:<svg[^\n]*?</span> )?([\w ]+)</th>', text)
    assert {("", "Patience"), (' class="differs"', "Controller"), (' class="differs"', "Seed")} <= set(rows)
    best = Trial.objects.get(search=one, number=2)
    assert f"trial={best.pk}" in text  # compare their best trials
    empty = make_search(dataset=dataset, name="Empty")
    assert page(signed_in, search=[one.pk, empty.pk]).count("<h1>") == 1


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ({"trial": [1]}, "Only one was chosen. Choose from two to five."),
        ({"trial": [1, 1]}, "Only one was chosen. Choose from two to five."),
        ({"search": [1, 2, 3, 4, 5, 6]}, "6 were chosen. Choose from two to five."),
        ({"trial": ["x", 2]}, "An id is a whole number, but one of these is &#x27;x&#x27;."),
        ({"trial": ["9" * 40, 2]}, "An id is a whole number"),
        ({"trial": [1], "search": [2]}, "Compare either trials or searches, not both at once."),
        (
            {"trial": [900001, 900002]},
            "Trial ids 900001, 900002 are of no trials, or of deleted ones. So there is nothing left to compare.",
        ),
        ({}, "Two to five, side by side"),
    ],
)
def test_what_cannot_be_compared_is_said(signed_in: Client, ids: dict[str, Any], message: str) -> None:
    assert message in page(signed_in, **ids)


def test_a_deleted_one_is_named_beside_the_others(signed_in: Client) -> None:
    first, second = make_trials(make_search(), [0.2, 0.3])
    text = page(signed_in, trial=[first.pk, second.pk, 900001])
    assert "Trial id 900001 is of no trial, or of one that was deleted." in text
    assert "Compare 2 trials" in text


@pytest.mark.parametrize("number", [2, 5])
def test_comparisons_take_a_constant_number_of_queries(signed_in: Client, django_assert_max_num_queries: Any, number: int) -> None:
    searches = [make_search(state=SearchState.FINISHED) for _ in range(number)]
    trials = [make_trials(search, [0.2, 0.3])[0] for search in searches]
    signed_in.get("/")
    with django_assert_max_num_queries(6):
        page(signed_in, trial=[trial.pk for trial in trials])
    with django_assert_max_num_queries(13):  # one for each search, of five at most
        page(signed_in, search=[search.pk for search in searches])
