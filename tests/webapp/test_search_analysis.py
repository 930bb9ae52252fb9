"""Analyses of a search: what is read, what is computed of it, and the pages that show it."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from gnn.catalogue import build_space
from gnn.plan import Rungs, SearchPlan
from tests.webapp.factories import make_baseline, make_search, make_trial
from webapp.charts.decisions import contour_data, contour_figure, parallel_data, parallel_figure, slice_data, slice_figure
from webapp.charts.quality import distribution_data, distribution_figure, pareto_data
from webapp.charts.timeline import timeline_data, timeline_figure
from webapp.models import Arm, Search, Trial, TrialRung
from webapp.queue import MEASURE_IMPORTANCE, app
from webapp.selectors.analysis import Costed, Subset, cells, costed, decisions_ranked, sampled_points, scores_by_arm
from webapp.selectors.timeline import Span, timeline
from webapp.views.figures import FIGURES

SPACE = build_space({"node_dim": (16, 128), "layers": (1, 2), "operator": ("gcn", "gat")})
NODE_DIM, LAYERS, FIRST, SECOND = SPACE.decisions
TRIALS = (
    # node_dim, operators, arm, score, parameters, rung
    (16, ("gcn",), "controller", 0.2, 100, 0),
    (16, ("gat", "gcn"), "controller", 0.4, 300, 1),
    (128, ("gat",), "random", 0.3, 300, 0),
    (128, ("gat",), "random", 0.1, 50, 1),
)


@pytest.fixture
def search(db: None) -> Search:
    """Four trials with a score, one that failed with a penalty, and one that runs."""
    search = make_search(space=SPACE.to_json(), plan=SearchPlan(rungs=Rungs(count=2)).to_json())
    for number, (dim, operators, arm, score, parameters, rung) in enumerate(TRIALS, start=1):
        architecture = {"node_dim": dim, "layers": len(operators)} | {f"operator.{i}": name for i, name in enumerate(operators, start=1)}
        make_trial(
            search, number, architecture=architecture, arm=arm, state="completed", reward=score, parameters=parameters, rung=rung,
            told_order=number,
        )  # fmt: skip
    make_trial(search, 5, architecture={"node_dim": 16, "layers": 1, "operator.1": "gcn"}, state="failed", reward=0.01, told_order=5)
    make_trial(search, 6, architecture={"node_dim": 16, "layers": 1, "operator.1": "gcn"})
    return search


def test_points_are_of_trials_with_a_score_and_hold_their_choices(search: Search) -> None:
    sample = sampled_points(search, Subset(), ["node_dim", "operator.2"])
    assert [(point.number, point.arm, point.score, point.choices) for point in sample.points] == [
        (1, "controller", 0.2, (16, None)),
        (2, "controller", 0.4, (16, "gcn")),
        (3, "random", 0.3, (128, None)),
        (4, "random", 0.1, (128, None)),
    ]
    assert sample.total == 4


@pytest.mark.parametrize(
    ("subset", "numbers"),
    [
        (Subset(arm="random"), [3, 4]),
        (Subset(last_rung=1), [2, 4]),
        (Subset(top=50), [2, 3]),
        (Subset(top=5), [2]),
        (Subset(arm="manual", top=10), []),
    ],
)
def test_an_analysis_can_be_narrowed(search: Search, subset: Subset, numbers: list[int]) -> None:
    assert [point.number for point in sampled_points(search, subset, []).points] == numbers


def test_a_large_search_is_sampled_evenly_with_both_arms_and_the_best(db: None) -> None:
    search = make_search(space=SPACE.to_json())
    architecture = {"node_dim": 16, "layers": 1, "operator.1": "gcn"}
    Trial.objects.bulk_create(
        Trial(
            search=search, number=number, arm="random" if number % 2 else "controller", architecture=architecture, key=f"{number:016d}",
            seed=1, state="completed", reward=0.9 if number == 777 else number / 10_000,
        )
        for number in range(1, 1201)
    )  # fmt: skip
    sample = sampled_points(search, Subset(), ["node_dim"], limit=300)
    numbers = [point.number for point in sample.points]
    assert (sample.total, numbers) == (1200, sorted(numbers))
    assert 300 <= len(numbers) <= 320
    assert 777 in numbers and 1199 in numbers
    by_arm = [sum(point.arm == arm for point in sample.points) for arm in ("controller", "random")]
    assert abs(by_arm[0] - by_arm[1]) <= 2  # a step of 4 over all numbers would have taken one arm only


def test_two_decisions_are_counted_by_the_database(search: Search) -> None:
    found = {(cell.first, cell.second): (cell.trials, cell.mean, cell.best) for cell in cells(search, Subset(), "node_dim", "operator.1")}
    assert found == {
        (16, "gcn"): (1, 0.2, 0.2),
        (16, "gat"): (1, 0.4, 0.4),
        (128, "gat"): (2, pytest.approx(0.2), 0.3),
    }
    # A trial that does not make one of them is in no cell.
    assert [(cell.first, cell.trials) for cell in cells(search, Subset(), "operator.2", "node_dim")] == [("gcn", 1)]
    best = contour_data(cells(search, Subset(), "node_dim", "operator.1"), NODE_DIM, FIRST, best=True, label="NDCG@20")
    assert best.values == [[0.2, None], [0.4, 0.3]]
    assert best.trials == [[1, 0], [1, 2]]
    assert list(best.rows())[1:] == [["16", "GCN", 1, 0.2], ["16", "GAT", 1, 0.4], ["128", "GAT", 2, 0.3]]
    assert contour_figure(best)["data"][0]["z"] == best.values


def test_parallel_coordinates_place_choices_and_their_absence(search: Search) -> None:
    data = parallel_data(sampled_points(search, Subset(), ["node_dim", "operator.2"]), [NODE_DIM, SECOND], label="NDCG@20")
    assert [(axis.label, list(axis.words), list(axis.places)) for axis in data.axes] == [
        ("Node embedding size", ["16", "128"], [0, 0, 1, 1]),
        ("Network structure, layer 2", ["GCN", "GAT", "–"], [2, 0, 2, 2]),
    ]
    assert list(data.rows())[2] == [2, "16", "GCN", 0.4]
    trace = parallel_figure(data)["data"][0]
    assert trace["dimensions"][2]["values"] == [0.2, 0.4, 0.3, 0.1]
    # Spread lines stay nearest to the choice they are of.
    for axis, dimension in zip(data.axes, trace["dimensions"], strict=False):
        assert [round(value) for value in dimension["values"]] == axis.places


def test_a_slice_has_the_trials_that_make_the_decision(search: Search) -> None:
    data = slice_data(sampled_points(search, Subset(), ["operator.2"]), SECOND, label="NDCG@20")
    assert data.points == [(2, "controller", "GCN", 0.4)]
    assert data.words == ["GCN", "GAT"]
    figure = slice_figure(slice_data(sampled_points(search, Subset(), ["node_dim"]), NODE_DIM, label="NDCG@20"))
    assert [(trace["meta"], trace["x"], trace["y"]) for trace in figure["data"]] == [
        ("slice:controller", ["16", "16"], [0.2, 0.4]),
        ("slice:random", ["128", "128"], [0.3, 0.1]),
    ]


def test_the_front_is_of_all_trials_whatever_is_drawn(search: Search) -> None:
    data = pareto_data(costed(search, Subset(), "parameters"), label="NDCG@20", cost_label="Parameters")
    # Trial 3 costs as much as trial 2 and scores less; trial 1 is the best for at most 100.
    assert [point.number for point in data.front] == [4, 1, 2]
    assert costed(search, Subset(), "latency_ms") == []
    many = [Costed(number, "controller", number / 1000, 1000 - number + 0.0) for number in range(1, 1001)]
    thin = pareto_data([*many, Costed(1001, "random", 0.5, 400.0)], label="", cost_label="", limit=100)
    assert [point.number for point in thin.front] == [1000]
    assert len(thin.points) <= 102 and thin.total == 1001


def test_a_distribution_is_the_share_at_or_below(search: Search) -> None:
    data = distribution_data(scores_by_arm(search, Subset()), label="NDCG@20")
    assert data.curves == {"controller": [(0.2, 0.5), (0.4, 1.0)], "random": [(0.1, 0.5), (0.3, 1.0)]}
    thin = distribution_data({"controller": [index / 1000 for index in range(5000)]}, label="", limit=100).curves["controller"]
    assert len(thin) <= 101 and thin[-1] == (4.999, 1.0)
    assert all(share == pytest.approx((score * 1000 + 1) / 5000) for score, share in thin)
    assert [trace["name"] for trace in distribution_figure(data)["data"]] == ["Controller", "Random search"]


def test_decisions_that_mattered_come_first() -> None:
    names = ["a", "b", "c"]
    assert decisions_ranked(names, {}) == names
    assert decisions_ranked(names, {"fanova": {"c": 0.7, "b": 0.3}, "ped_anova": {"a": 1.0}}) == ["c", "b", "a"]


START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def test_the_timeline_shows_the_training_of_each_rung_without_the_wait_between(db: None) -> None:
    search = make_search(plan=SearchPlan(rungs=Rungs(count=2)).to_json())
    trial = make_trial(
        search, 1, state="completed", rung=1, worker="b", started_at=START, finished_at=START + timedelta(seconds=100), train_seconds=30
    )
    for rung, worker, end, seconds in ((0, "a", 10, 10.0), (1, "b", 100, 30.0)):
        TrialRung.objects.create(
            trial=trial, search=search, arm="controller", rung=rung, epochs=1, seconds=seconds, reward=0.1, worker=worker,
            ended_at=START + timedelta(seconds=end),
        )  # fmt: skip
    make_trial(
        search, 2, state="failed", failure="diverged", worker="a", started_at=START + timedelta(seconds=20),
        finished_at=START + timedelta(seconds=25),
    )  # fmt: skip
    make_baseline(search, "ease", 0.2, worker="a", started_at=START - timedelta(seconds=5), finished_at=START)

    def seconds(moment: datetime) -> float:
        return (moment - START).total_seconds()

    spans = timeline(search)
    assert [(span.worker, span.kind, seconds(span.start), seconds(span.end), span.number) for span in spans] == [
        ("a", "baseline", -5, 0, None),
        ("a", "trial", 0, 10, 1),
        ("a", "failed", 20, 25, 2),
        ("b", "trial", 80, 100, 1),
    ]
    data = timeline_data(spans)
    assert [bar.words for bar in data.bars] == ["EASE", "trial 1, rung 1", "trial 2: Diverged", "trial 1, rung 2"]
    figure = timeline_figure(data)
    assert {trace["name"] for trace in figure["data"]} == {"Baseline", "Trial", "Failed trial"}


def test_rungs_of_more_data_train_anew(db: None) -> None:
    search = make_search(plan=SearchPlan(rungs=Rungs(by="data", count=2)).to_json())
    trial = make_trial(search, 1, state="completed", rung=1)
    for rung, seconds in ((0, 10.0), (1, 30.0)):
        TrialRung.objects.create(
            trial=trial, search=search, arm="controller", rung=rung, epochs=1, seconds=seconds, reward=0.1, worker="a", ended_at=START
        )
    assert sorted((span.end - span.start).total_seconds() for span in timeline(search)) == [10.0, 30.0]


def test_what_is_too_short_to_be_told_apart_is_one_bar() -> None:
    spans = [
        Span("a", "trial", START + timedelta(seconds=index), START + timedelta(seconds=index + 0.9), index, "1") for index in range(10_000)
    ]
    data = timeline_data(spans, resolution=100)
    assert 90 <= len(data.bars) <= 110
    assert sum(bar.count for bar in data.bars) == 10_000
    assert (data.bars[0].start, data.bars[-1].end) == (spans[0].start, spans[-1].end)
    long = [
        Span("a", "trial", START + timedelta(seconds=100 * index), START + timedelta(seconds=100 * index + 99), 1, "1")
        for index in range(9)
    ]
    assert len(timeline_data(long, resolution=100).bars) == 9


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_with_its_points_to_download(signed_in: Client, search: Search, name: str) -> None:
    Search.objects.update(importance={"fanova": {"node_dim": 0.7, "layers": 0.3}}, importance_trials=40)
    Arm.objects.create(search=search, name="controller", proposed=4)
    TrialRung.objects.create(
        trial=search.trials.get(number=1),
        search=search,
        arm="controller",
        rung=0,
        epochs=1,
        seconds=9,
        reward=0.2,
        worker="a",
        ended_at=START,
    )
    page = signed_in.get(reverse("search_analysis", args=[search.pk, name])).content.decode()
    assert f'hx-get="/searches/{search.pk}/figures/{name}/?"' in page
    response = signed_in.get(reverse("search_figure", args=[search.pk, name]))
    assert response.context["document"]["data"]
    rows = list(csv.reader(StringIO(signed_in.get(reverse("search_figure_csv", args=[search.pk, name])).content.decode())))
    assert len(rows) > 1 and len({len(row) for row in rows}) == 1


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_of_a_new_search_says_what_will_be_there(signed_in: Client, db: None, name: str) -> None:
    search = make_search()
    response = signed_in.get(reverse("search_figure", args=[search.pk, name]))
    assert response.context["document"] is None
    assert str(FIGURES[name].empty).replace("'", "&#x27;") in response.content.decode()


def test_the_url_keeps_what_a_figure_was_asked_for(signed_in: Client, search: Search) -> None:
    query = {"decision": "layers", "arm": "random", "trained": ""}
    response = signed_in.get(reverse("search_figure", args=[search.pk, "slice"]), query, headers={"HX-Trigger": "figure-form"})
    assert response.headers["HX-Push-Url"] == f"/searches/{search.pk}/analysis/slice/?decision=layers&arm=random"
    assert [(control.name, control.chosen) for control in response.context["drawing"].controls] == [
        ("decision", ["layers"]), ("arm", ["random"]), ("trained", [""]),
    ]  # fmt: skip
    hostile = {"decision": "'; drop", "arm": "x", "axis": ["x", "layers"], "top": "7", "cost": "secret", "first": "\0"}
    for name in FIGURES:
        assert signed_in.get(reverse("search_figure", args=[search.pk, name]), hostile).status_code == 200
    axes = FIGURES["parallel"].build(search, QueryDict("axis=x&axis=layers")).controls[-1]
    assert axes.chosen == ["layers"]
    assert signed_in.get(reverse("search_figure", args=[search.pk, "nonsense"])).status_code == 404


@pytest.mark.parametrize("trials", [2, 60])
def test_figures_take_a_constant_number_of_queries(
    signed_in: Client, django_assert_max_num_queries: Any, search: Search, trials: int
) -> None:
    for number in range(10, 10 + trials):
        make_trial(
            search, number, architecture={"node_dim": 16, "layers": 1, "operator.1": "gcn"}, state="completed", reward=number / 1000,
            parameters=number, told_order=number,
        )  # fmt: skip
    for name in FIGURES:
        with django_assert_max_num_queries(8):
            signed_in.get(reverse("search_figure", args=[search.pk, name]), {"top": "10"})


def test_importance_is_measured_when_asked_for(
    signed_in: Client, search: Search, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(app, "send_task", lambda task, args, queue: sent.append(task))
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(2):
            response = signed_in.post(reverse("search_importance", args=[search.pk]))
    assert sent == [MEASURE_IMPORTANCE]
    assert response.headers["Location"] == reverse("search_analysis", args=[search.pk, "importance"])
    text = signed_in.get(reverse("search_figure", args=[search.pk, "importance"])).content.decode()
    assert "A worker is measuring this" in text and 'hx-trigger="every 2s"' in text
    Search.objects.update(importance_asked_at=None, importance_note="It takes 20 trials with a score, and there are 4.")
    text = signed_in.get(reverse("search_figure", args=[search.pk, "importance"])).content.decode()
    assert "It takes 20 trials" in text and "every 2s" not in text


def test_a_space_of_one_architecture_has_nothing_to_compare_but_no_error(signed_in: Client, db: None) -> None:
    space = build_space({"node_dim": (16,)})
    assert space.size == 1
    search = make_search(space=space.to_json())
    make_trial(search, 1, architecture={"node_dim": 16}, state="completed", reward=0.2, told_order=1)
    for name in FIGURES:
        assert signed_in.get(reverse("search_figure", args=[search.pk, name])).status_code == 200
