from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from gnn.plan import Rungs, SearchPlan
from gnn.protocol import Protocol
from tests.webapp.factories import make_baseline, make_dataset, make_finalist, make_search, make_trial, make_trials
from webapp.enums import RunState, SearchState
from webapp.models import Baseline, FinalistRun, Search, Trial
from webapp.selectors.comparable import judged, judged_alike
from webapp.selectors.leaderboard import PAGE_LENGTH, Z, board, groups_of, metric_chosen

pytestmark = pytest.mark.django_db


def slices(**errors: float) -> dict[str, Any]:
    return {"errors": {name.replace("_", "@"): error for name, error in errors.items()}, "activity": [], "popularity": []}


def finished() -> Search:
    """Three trials and two baselines; trial 2 is the winner by validation, trial 1 a finalist too, EASE between them."""
    search = make_search(state=SearchState.FINISHED)
    first, second, _ = make_trials(search, [0.30, 0.40, 0.10])
    make_finalist(second, [0.38, 0.42])
    make_finalist(first, [0.29])
    Trial.objects.filter(pk=second.pk).update(slices=slices(ndcg_20=0.01))
    FinalistRun.objects.filter(trial=second).update(test_slices=slices(ndcg_20=0.02))
    make_baseline(search, "ease", 0.35, test=0.33)
    make_baseline(search, "popularity", 0.05)
    Baseline.objects.filter(search=search, name="ease").update(valid_slices=slices(ndcg_20=0.008))
    numbers = {"difference": 0.07, "low": 0.05, "high": 0.09, "p": 0.0004}
    search.comparisons = [
        {"kind": "baseline", "first": "trial 2", "second": "Popularity"} | numbers,
        {"kind": "finalist", "first": "trial 2", "second": "EASE"} | numbers,
        {"kind": "finalist", "first": "trial 1", "second": "EASE", "difference": -0.04, "low": -0.09, "high": 0.01, "p": 0.12},
    ]
    search.save()
    return search


def test_trials_and_baselines_share_one_ranking() -> None:
    table = board([finished()], "ndcg@20")
    assert [(row.rank, row.number, row.valid.value) for row in table.rows] == [(1, 2, 0.40), (3, 1, 0.30), (4, 3, 0.10)]
    assert [(row.rank, row.name, row.valid.value) for row in table.baselines] == [(2, "EASE", 0.35), (5, "Popularity", 0.05)]
    assert [round(row.beyond or 0, 6) for row in table.rows] == [0.05, -0.05, -0.25]


def test_an_interval_is_of_the_normal_distribution_where_an_error_was_kept() -> None:
    winner, second, _ = board([finished()], "ndcg@20").rows
    assert winner.valid.interval == pytest.approx((0.40 - Z * 0.01, 0.40 + Z * 0.01))
    assert winner.test is not None and winner.test.value == pytest.approx(0.40)
    assert winner.test.interval == pytest.approx((0.40 - Z * 0.02, 0.40 + Z * 0.02))
    assert winner.test_sd == pytest.approx(0.02 * 2**0.5)
    assert (winner.seeds, second.seeds, second.test_sd, second.valid.interval) == (2, 1, None, None)


def test_differences_on_test_are_those_that_the_search_found() -> None:
    winner, second, third = board([finished()], "ndcg@20").rows
    assert winner.ahead is not None and (winner.ahead.other, winner.ahead.difference, winner.ahead.p) == ("EASE", 0.07, 0.0004)
    assert winner.ahead.verdict == "ahead"
    assert second.ahead is not None and second.ahead.verdict == "open"
    assert third.ahead is None and third.test is None
    # Single users are kept for NDCG@20 alone.
    assert all(row.ahead is None for row in board(list(Search.objects.all()), "recall@20").rows)


def test_test_scores_wait_for_the_end() -> None:
    search = finished()
    Search.objects.update(state=SearchState.FINISHING)
    search.refresh_from_db()
    table = board([search], "ndcg@20")
    assert not table.tested
    assert all(row.test is None and row.ahead is None for row in (*table.rows, *table.baselines))
    assert [row.finalist for row in table.rows] == [True, True, False]


def test_less_is_better_where_it_is() -> None:
    search = make_search()
    for number, gini in enumerate((0.9, 0.2, 0.5), start=1):
        make_trial(search, number, state=RunState.COMPLETED, reward=0.1, scores={"gini@20": gini})
    make_baseline(search, "ease", 0.1)
    Baseline.objects.update(valid_scores={"gini@20": 0.4})
    table = board([search], "gini@20")
    assert [(row.rank, row.number) for row in table.rows] == [(1, 2), (3, 3), (4, 1)]
    assert table.baselines[0].rank == 2


def test_failed_trials_are_not_ranked() -> None:
    search = make_search()
    make_trials(search, [0.3, None])
    assert [row.number for row in board([search], "ndcg@20").rows] == [1]


def test_trials_on_less_data_are_not_ranked_beside_those_on_more() -> None:
    search = make_search(plan=SearchPlan(rungs=Rungs(by="data", first=4, factor=3, count=2)).to_json())
    make_trials(search, [0.9, 0.3])
    Trial.objects.filter(number=2).update(rung=1)
    assert [row.number for row in board([search], "ndcg@20").rows] == [2]


def test_ranks_go_on_from_page_to_page_and_count_the_baselines() -> None:
    search = make_search()
    make_trials(search, [round(0.9 - 0.01 * index, 2) for index in range(PAGE_LENGTH + 5)])
    make_baseline(search, "ease", 0.395)  # behind 51 trials
    first, second = board([search], "ndcg@20"), board([search], "ndcg@20", page=2)
    assert [row.rank for row in first.rows] == list(range(1, PAGE_LENGTH + 1))
    assert [row.rank for row in second.rows] == [51, 53, 54, 55, 56]
    assert first.baselines[0].rank == second.baselines[0].rank == 52


def test_searches_are_grouped_by_what_they_hold_out() -> None:
    dataset = make_dataset()
    plain = make_search(dataset=dataset)
    longer = make_search(dataset=dataset, protocol=Protocol(max_epochs=7, finalists=1, ks=(5, 20)))
    other_seed = make_search(dataset=dataset, protocol=Protocol(split_seed=1))
    last = make_search(dataset=dataset, protocol=Protocol(split="leave_one_out", split_seed=1))
    last_too = make_search(dataset=dataset, protocol=Protocol(split="leave_one_out", split_seed=2))
    elsewhere = make_search()
    assert [{search.pk for search in group.searches} for group in groups_of(dataset)] == [
        {last.pk, last_too.pk}, {other_seed.pk}, {plain.pk, longer.pk},
    ]  # fmt: skip
    assert not judged_alike([plain, elsewhere])
    folds = make_search(dataset=dataset, protocol=Protocol(split="k_fold"), plan=SearchPlan(reward="k_fold", random_arm=False).to_json())
    one_fold = make_search(dataset=dataset, protocol=Protocol(split="k_fold"))
    assert judged(folds) != judged(one_fold)


def test_the_page_of_a_dataset_never_mixes_protocols(signed_in: Client) -> None:
    dataset = make_dataset()
    one, other = make_search(dataset=dataset, name="One"), make_search(dataset=dataset, name="Other", protocol=Protocol(split_seed=1))
    more = make_search(dataset=dataset, name="More", protocol=Protocol(max_epochs=9))
    for search, score in ((one, 0.11), (other, 0.22), (more, 0.33)):
        make_trials(search, [score])
        make_baseline(search, "ease", 0.05)
    url = reverse("dataset_leaderboard", args=[dataset.pk])
    text = signed_in.get(url).content.decode()
    assert "0.1100" in text and "0.3300" in text and "0.2200" not in text
    assert text.count("EASE <span") == 1  # the same baseline of two searches stands once
    text = signed_in.get(url, {"protocol": judged(other).key}).content.decode()
    assert "0.2200" in text and "0.1100" not in text
    assert signed_in.get(url, {"protocol": "x" * 5000}).status_code == 200


def test_the_metric_of_the_address_is_shown_and_nonsense_is_the_objective() -> None:
    search = make_search(protocol=Protocol(metric="recall", k=5))
    assert metric_chosen([search], "", "") == "recall@5"
    assert metric_chosen([search], "ndcg", "10") == "ndcg@10"
    assert metric_chosen([search], "scores__x", "7") == "recall@5"
    assert metric_chosen([search, make_search()], "map", "5") == "map@20"  # the other does not report 5


def test_pages_show_the_metric_asked_for(signed_in: Client) -> None:
    url = reverse("search_leaderboard", args=[finished().pk])
    text = signed_in.get(url, {"metric": "recall", "k": "10"}).content.decode()
    assert "Ranked by Recall@10 on validation" in text
    assert re.search(r'fw-semibold">0\.1600</span>', text)  # 0.4 * 0.8 * 0.5
    assert "only under that metric differences on test have a significance" in text
    text = signed_in.get(url).content.decode()
    assert "[+0.0500, +0.0900] p &lt; 0.001" in text
    assert "0.4000</span> ± 0.0283" in text


def test_downloads_hold_every_row_in_order(signed_in: Client) -> None:
    search = finished()
    answer = signed_in.get(reverse("search_leaderboard_file", args=[search.pk, "json"]), {"metric": "ndcg", "k": "20"})
    document = json.loads(answer.content)
    assert document["metric"] == "ndcg@20"
    assert [(row["rank"], row["trial"], row["kind"]) for row in document["rows"]] == [
        (1, 2, "trial"), (2, None, "baseline"), (3, 1, "trial"), (4, 3, "trial"), (5, None, "baseline"),
    ]  # fmt: skip
    assert document["rows"][0]["ahead_low"] == 0.05
    answer = signed_in.get(reverse("search_leaderboard_file", args=[search.pk, "csv"]))
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [row["model"] for row in rows][1::3] == ["EASE", "Popularity"]
    assert (rows[0]["test"], rows[1]["trial"]) == ("0.4", "")
    assert "attachment" in answer["Content-Disposition"]
    answer = signed_in.get(reverse("dataset_leaderboard_file", args=[search.dataset_id, "csv"]))
    assert answer.content.decode().count("\n") == 6


def test_empty_leaderboards_teach(signed_in: Client) -> None:
    search = make_search()
    assert "Nothing is scored yet" in signed_in.get(reverse("search_leaderboard", args=[search.pk])).content.decode()
    dataset = make_dataset()
    assert "No search on this dataset yet" in signed_in.get(reverse("dataset_leaderboard", args=[dataset.pk])).content.decode()
    assert signed_in.get(reverse("dataset_leaderboard_file", args=[dataset.pk, "csv"])).status_code == 200
    for name in ("search_leaderboard", "dataset_leaderboard"):
        assert signed_in.get(reverse(name, args=[999_999])).status_code == 404


@pytest.mark.parametrize("trials", [2, 60])
def test_leaderboards_take_a_constant_number_of_queries(signed_in: Client, django_assert_num_queries: Any, trials: int) -> None:
    dataset = make_dataset()
    for _ in range(trials // 20 + 1):
        search = make_search(dataset=dataset, state=SearchState.FINISHED)
        for trial in make_trials(search, [0.1] * trials)[:3]:
            make_finalist(trial, [0.2, 0.3])
        make_baseline(search, "ease", 0.2)
    signed_in.get("/")
    with django_assert_num_queries(8):
        signed_in.get(reverse("search_leaderboard", args=[search.pk]))
    with django_assert_num_queries(9):
        signed_in.get(reverse("dataset_leaderboard", args=[dataset.pk]))
