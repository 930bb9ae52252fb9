"""The table of trials: filters, sorting, columns, counts and downloads."""

from __future__ import annotations

import csv
import json
from io import StringIO
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from gnn.catalogue import build_space
from gnn.protocol import Protocol
from tests.webapp.factories import make_search, make_trial, make_trials, scores_of
from webapp.models import Search, Trial
from webapp.selectors.trial_columns import USUAL, trial_columns
from webapp.selectors.trial_table import fact_facets, trial_facets, trial_table

SPACE = build_space({"node_dim": (16, 128), "layers": (1, 2), "operator": ("gcn", "gat"), "dropout": (0.0, 1e-05)})
CHOSEN = (
    {"node_dim": 16, "layers": 1, "operator.1": "gcn", "dropout": 0.0},
    {"node_dim": 128, "layers": 2, "operator.1": "gcn", "operator.2": "gat", "dropout": 0.0},
    {"node_dim": 128, "layers": 2, "operator.1": "gat", "operator.2": "gat", "dropout": 1e-05},
)


@pytest.fixture
def search(db: None) -> Search:
    """Three completed trials with rewards 0.2, 0.3, 0.1, one of random search that failed, and one that runs."""
    search = make_search(space=SPACE.to_json())
    for number, (choices, reward) in enumerate(zip(CHOSEN, (0.2, 0.3, 0.1), strict=True), start=1):
        make_trial(
            search, number, architecture=choices, state="completed", reward=reward, scores=scores_of(reward), told_order=number,
            parameters=1000 - number, train_seconds=float(number), epochs=9, rung=number - 1,
        )  # fmt: skip
    make_trial(search, 4, architecture=CHOSEN[0], arm="random", state="failed", failure="diverged", message="=nan", reward=0.01)
    make_trial(search, 5, architecture=CHOSEN[1])
    return search


def numbers(search: Search, query: str = "") -> list[int]:
    return [row.trial.number for row in trial_table(search, QueryDict(query)).rows]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [5, 4, 3, 2, 1]),
        ("sort=number", [1, 2, 3, 4, 5]),
        # What has no score comes last, whichever way: a penalty of 0.01 is not a score.
        ("sort=-reward", [2, 1, 3, 4, 5]),
        ("sort=reward", [3, 1, 2, 4, 5]),
        ("sort=-parameters", [1, 2, 3, 4, 5]),
        ("sort=-ndcg@20", [2, 1, 3, 4, 5]),
        # Numbers are sorted as numbers, and equal ones by the trial.
        ("sort=d.node_dim", [1, 4, 2, 3, 5]),
        ("sort=-d.operator", [2, 5, 1, 4, 3]),
        ("state=completed&sort=-reward", [2, 1, 3]),
        ("arm=random", [4]),
        ("failure=diverged", [4]),
        ("rung=3", [3]),
        ("d.node_dim=16", [4, 1]),
        # A decision per layer: made at any layer.
        ("d.operator=gat", [5, 3, 2]),
        ("d.operator=gat&d.dropout=1e-05", [3]),
        ("sort=nonsense&state=nonsense&size=7&page=x&arm=x&failure=x&rung=x&d.operator=x&column=x", [5, 4, 3, 2, 1]),
    ],
)
def test_the_table_sorts_and_filters(search: Search, query: str, found: list[int]) -> None:
    assert numbers(search, query) == found


@pytest.mark.parametrize("size", ["0010999", "7", "-10", "9" * 30, "x"])
def test_an_edited_url_cannot_ask_for_more_rows_than_are_offered(search: Search, size: str) -> None:
    assert trial_table(search, QueryDict(f"size={size}")).size == 25


def test_every_column_can_be_sorted_by_both_ways(search: Search) -> None:
    for name in trial_columns(search):
        assert sorted(numbers(search, f"sort={name}")) == sorted(numbers(search, f"sort=-{name}")) == [1, 2, 3, 4, 5]


def test_counts_of_states_are_of_trials_that_pass_the_other_filters(search: Search) -> None:
    table = trial_table(search, QueryDict("state=failed&d.node_dim=16"))
    assert table.counts == {"completed": 1, "failed": 1}
    assert table.page.paginator.count == 1
    assert [[value for column, value in row.cells if column.kind == "score"] for row in table.rows] == [[None]]


def test_the_url_chooses_the_columns(search: Search) -> None:
    table = trial_table(search, QueryDict("column=d.operator&column=ndcg@10&state=completed&sort=number"))
    assert [column.name for column in table.columns] == ["number", "ndcg@10", "d.operator"]
    assert [value for _, value in table.rows[1].cells] == [2, 0.15, "GCN, GAT"]
    assert [column.name for column in trial_table(search, QueryDict()).columns] == list(USUAL)


def test_one_page_is_read(db: None, django_assert_num_queries: Any) -> None:
    search = make_search(planned_trials=300)
    make_trials(search, [0.2 + 0.0001 * index for index in range(300)])
    with django_assert_num_queries(2) as captured:
        table = trial_table(search, QueryDict("sort=-reward&page=2&size=100&d.edge_dim="))
    assert [table.rows[0].trial.number, table.rows[-1].trial.number, len(table.rows)] == [200, 101, 100]
    assert "LIMIT 100 OFFSET 100" in captured[-1]["sql"]


def test_facets_count_trials_by_what_they_can_be_filtered_by(search: Search) -> None:
    facets = {facet.name: {value: count for value, _, count in facet.options} for facet in (*fact_facets(search), *trial_facets(search))}
    assert facets == {
        "arm": {"controller": 4, "random": 1},
        "rung": {"1": 3, "2": 1, "3": 1},
        "failure": {"diverged": 1},
        "d.node_dim": {"16": 2, "128": 3},
        "d.layers": {"1": 2, "2": 3},
        "d.operator": {"gcn": 4, "gat": 3},
        "d.dropout": {"0": 4, "1e-05": 1},
    }
    for name, options in facets.items():
        for value, count in options.items():
            assert len(numbers(search, f"{name}={value}")) == count


def test_downloads_hold_what_passes_the_filters(signed_in: Client, search: Search) -> None:
    response = signed_in.get(reverse("search_trials_csv", args=[search.pk]), {"d.node_dim": "128", "sort": "-reward", "size": "10"})
    assert response.headers["Content-Disposition"] == f'attachment; filename="search-{search.pk}-trials.csv"'
    rows = list(csv.DictReader(StringIO(b"".join(response).decode())))
    assert [row["number"] for row in rows] == ["2", "3", "5"]
    assert {name: rows[0][name] for name in ("state", "arm", "rung", "reward", "ndcg@20", "ndcg@10", "operator.2", "dropout")} == {
        "state": "completed", "arm": "controller", "rung": "2", "reward": "0.3", "ndcg@20": "0.3", "ndcg@10": "0.15", "operator.2": "gat",
        "dropout": "0.0",
    }  # fmt: skip
    assert rows[2]["reward"] == ""

    response = signed_in.get(reverse("search_trials_json", args=[search.pk]))
    listed = json.loads(b"".join(response))
    assert [row["number"] for row in listed] == [1, 2, 3, 4, 5]
    assert listed[1]["architecture"] == CHOSEN[1]
    assert listed[1]["scores"] == scores_of(0.3)
    assert (listed[3]["reward"], listed[3]["failure"]) == (None, "diverged")  # a penalty is not a score


def test_downloads_of_no_trial_are_well_formed(signed_in: Client, db: None) -> None:
    search = make_search()
    assert json.loads(b"".join(signed_in.get(reverse("search_trials_json", args=[search.pk])))) == []
    header = b"".join(signed_in.get(reverse("search_trials_csv", args=[search.pk]))).decode()
    assert header.startswith("number,state,arm,rung,reward") and header.count("\n") == 1


def test_a_cell_that_a_spreadsheet_would_run_is_text(signed_in: Client, search: Search) -> None:
    rows = list(csv.DictReader(StringIO(b"".join(signed_in.get(reverse("search_trials_csv", args=[search.pk]))).decode())))
    assert rows[3]["message"] == "'=nan"


def test_the_form_puts_what_it_asks_for_into_the_url(signed_in: Client, search: Search) -> None:
    query = {"state": "", "sort": "-reward", "d.operator": "gat", "arm": "", "column": ["state", "reward"]}
    response = signed_in.get(reverse("search_trials", args=[search.pk]), query, headers={"HX-Request": "true", "HX-Trigger": "trials-form"})
    assert response.headers["HX-Push-Url"] == f"/searches/{search.pk}/?sort=-reward&d.operator=gat&column=state&column=reward"
    refreshed = signed_in.get(reverse("search_trials", args=[search.pk]), query, headers={"HX-Request": "true", "HX-Trigger": "trials"})
    assert "HX-Push-Url" not in refreshed.headers


def test_the_page_keeps_and_removes_filters(signed_in: Client, search: Search) -> None:
    query = {"d.operator": "gat", "arm": "controller", "sort": "number"}
    text = signed_in.get(reverse("search", args=[search.pk]), query).content.decode()
    # What the form asks for stays, before its counts are fetched.
    assert '<input type="hidden" name="d.operator" value="gat">' in text
    assert f'href="/searches/{search.pk}/?arm=controller&amp;sort=number#trials-title"' in text
    facets = signed_in.get(reverse("search_facets", args=[search.pk]), query).content.decode()
    assert '<option value="gat" selected>GAT (3)</option>' in facets
    none = signed_in.get(reverse("search", args=[search.pk]), {"failure": "lost"}).content.decode()
    assert "No trial passes these filters" in none


@pytest.mark.parametrize("trials", [2, 120])
def test_fragments_take_a_constant_number_of_queries(signed_in: Client, django_assert_num_queries: Any, trials: int) -> None:
    search = make_search(planned_trials=200, protocol=Protocol(max_epochs=30))
    make_trials(search, [0.2] * trials)
    signed_in.get("/")
    for name, queries in (("search_trials", 2), ("search_facets", 2), ("search_trials_csv", 1)):
        with django_assert_num_queries(3 + queries):  # session, user, search
            response = signed_in.get(reverse(name, args=[search.pk]))
            if response.streaming:
                list(response)
    assert Trial.objects.filter(search=search).count() == trials
