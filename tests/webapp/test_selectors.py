from __future__ import annotations

import math
from typing import Any

import pytest

from gnn.protocol import Protocol
from gnn.space import Architecture
from tests.webapp.factories import (
    make_baseline,
    make_curve,
    make_dataset,
    make_finalist,
    make_search,
    make_trial,
    make_trials,
    make_worker,
    scores_of,
)
from webapp.enums import RunState, SearchState
from webapp.models import FinalistRun, Trial
from webapp.selectors.home import home_overview
from webapp.selectors.searches import (
    LEADERBOARD_TRIALS,
    leaderboard,
    mean_and_sd,
    metric_label,
    progress,
    search_rows,
    searches_page,
    validation_verdict,
)
from webapp.selectors.searches_live import MEAN_OF, curve_points, in_flight, points_after
from webapp.selectors.trials import decision_rows, trial_test_scores

pytestmark = pytest.mark.django_db


def test_leaderboard_ranks_trials_and_baselines_together_on_validation() -> None:
    search = make_search()
    make_trials(search, [0.20, None, 0.30, 0.25])
    make_baseline(search, "ease", 0.27)
    make_baseline(search, "itemknn", 0.10)
    make_baseline(search, "popularity", None)
    rows = leaderboard(search)
    assert [(row.rank, row.kind, row.number) for row in rows] == [
        (1, "trial", 3), (2, "baseline", None), (3, "trial", 4), (4, "trial", 1), (5, "baseline", None),
    ]  # fmt: skip
    assert [row.name for row in rows if row.kind == "baseline"] == ["EASE", "ItemKNN"]
    assert rows[0].valid_scores == scores_of(0.30)
    assert rows[0].parameters == 1003
    assert rows[0].train_seconds == 2.0
    assert rows[0].name.startswith("d")


def test_leaderboard_never_ranks_a_failed_trial() -> None:
    search = make_search()
    make_trials(search, [None, None, 0.2])
    assert [row.number for row in leaderboard(search)] == [3]


@pytest.mark.parametrize("state", [state for state in SearchState if state != SearchState.FINISHED])
def test_test_scores_are_hidden_until_the_search_has_finished(state: SearchState) -> None:
    search = make_search(state=state)
    trial = make_trials(search, [0.3])[0]
    make_finalist(trial, [0.31, 0.33])
    make_baseline(search, "ease", 0.27, test=0.29)
    assert all(row.test_scores is None for row in leaderboard(search))
    assert trial_test_scores(trial)[1] is None


def test_test_scores_are_a_mean_and_a_deviation_over_seeds() -> None:
    search = make_search(state=SearchState.FINISHED)
    first, second = make_trials(search, [0.3, 0.2])
    make_finalist(first, [0.31, 0.33, 0.35])
    make_baseline(search, "ease", 0.27, test=0.29)
    best, ease, other = leaderboard(search)
    assert best.test_scores is not None and ease.test_scores is not None
    assert best.test_scores["ndcg@20"] == pytest.approx((0.33, 0.02))
    assert (best.seeds, best.is_finalist) == (3, True)
    assert ease.test_scores["ndcg@20"] == (0.29, 0.0)
    assert (other.number, other.test_scores, other.is_finalist, other.seeds) == (second.number, None, False, 1)
    runs, tested = trial_test_scores(first)
    assert len(runs) == 3 and tested is not None
    assert tested["recall@20"] == pytest.approx((0.264, 0.016))


def test_a_finalist_seed_that_failed_is_left_out_of_the_mean() -> None:
    search = make_search(state=SearchState.FINISHED)
    trial = make_trials(search, [0.3])[0]
    make_finalist(trial, [0.31])
    FinalistRun.objects.create(search=search, trial=trial, seed=9, state=RunState.FAILED)
    row = leaderboard(search)[0]
    assert row.test_scores is not None
    assert (row.test_scores["ndcg@20"], row.seeds) == ((0.31, 0.0), 1)


def test_leaderboard_is_bounded_and_its_ranks_stay_true() -> None:
    search = make_search(planned_trials=200)
    make_trials(search, [0.2 + 0.001 * index for index in range(120)])
    make_baseline(search, "ease", 0.2495)  # 70 of the 120 trials are above it
    make_baseline(search, "popularity", 0.1)
    rows = leaderboard(search)
    assert sum(row.kind == "trial" for row in rows) == LEADERBOARD_TRIALS
    assert [(row.name, row.rank) for row in rows if row.kind == "baseline"] == [("EASE", 71), ("Popularity", 122)]


def test_leaderboard_follows_the_objective_of_the_search() -> None:
    search = make_search(protocol=Protocol(metric="recall", k=10))
    make_trials(search, [0.30])
    make_baseline(search, "ease", 0.29)
    assert validation_verdict(leaderboard(search), "recall@10") == (
        "Trial 1 is ahead of the best baseline, EASE, by 0.0040 Recall@10 on validation."
    )


def test_verdict_says_when_no_architecture_beats_the_baseline() -> None:
    search = make_search()
    make_trials(search, [0.20, 0.25])
    make_baseline(search, "itemknn", 0.22)
    make_baseline(search, "ease", 0.27)
    assert validation_verdict(leaderboard(search), "ndcg@20") == (
        "No architecture beats EASE so far: 0.2700 NDCG@20 on validation, against 0.2500 for the best architecture, trial 2."
    )


def test_random_searchs_best_is_on_the_board_however_far_down() -> None:
    search = make_search(planned_trials=200)
    trials = make_trials(search, [0.2 + 0.001 * index for index in range(60)])
    Trial.objects.filter(pk__in=[trials[0].pk, trials[1].pk]).update(arm="random")
    rows = leaderboard(search)
    assert len(rows) == LEADERBOARD_TRIALS
    assert [row.number for row in rows if row.by_chance] == [2]


def test_verdict_is_silent_without_a_trial_or_a_baseline() -> None:
    search = make_search()
    assert validation_verdict(leaderboard(search), "ndcg@20") == ""
    make_trials(search, [0.2])
    assert validation_verdict(leaderboard(search), "ndcg@20") == ""


def test_progress_counts_and_estimates() -> None:
    search = make_search(planned_trials=12)
    make_trials(search, [0.2, None, 0.3])
    make_trial(search, 4)
    make_trial(search, 5)
    make_trial(search, 6, state=RunState.QUEUED)
    make_baseline(search, "ease", 0.25)
    state = progress(search)
    assert (state.done, state.planned, state.failed, state.running, state.queued, state.percent) == (3, 12, 1, 2, 1, 25.0)
    assert state.best is not None
    assert (state.best.number, state.best.score) == (3, 0.3)
    assert state.eta == pytest.approx(9.0)  # 9 trials of 2 seconds, 2 at a time
    assert [(row.label, row.get_state_display(), row.score) for row in state.baselines] == [("EASE", "Completed", 0.25)]
    assert math.isclose(state.elapsed, 0, abs_tol=30)


def test_progress_of_a_new_search_is_empty() -> None:
    state = progress(make_search())
    assert (state.done, state.percent, state.best, state.eta, state.baselines) == (0, 0.0, None, None, [])


def test_the_best_is_never_a_failed_trial_however_mild_its_penalty() -> None:
    search = make_search()
    make_trial(search, 1, state=RunState.FAILED, failure="diverged", reward=0.9, told_order=1)
    assert progress(search).best is None


def test_points_after_a_cursor_with_the_best_before_it() -> None:
    search = make_search()
    make_trials(search, [0.2, 0.3, None, 0.25])
    points, best = points_after(search, cursor=2)
    assert [(point.order, point.number, point.reward, point.failure) for point in points] == [(3, 3, None, "Diverged"), (4, 4, 0.25, "")]
    assert best == {"controller": 0.3}
    Trial.objects.filter(search=search, number=2).update(arm="random")
    assert points_after(search, cursor=4) == ([], {"controller": 0.25, "random": 0.3})
    assert [point.arm for point in curve_points(search)] == ["controller", "random", "controller", "controller"]
    assert [point.order for point in curve_points(search)] == [1, 2, 3, 4]


def test_the_curve_of_a_long_search_keeps_ends_and_every_improvement() -> None:
    search = make_search(planned_trials=1000)
    rewards: list[float | None] = [0.1 + 0.1 * (number in (77, 432)) + 0.05 * (number % 2) for number in range(1, 501)]
    rewards[431], rewards[300] = 0.4, None
    make_trials(search, rewards)
    kept = curve_points(search, limit=50)
    orders = [point.order for point in kept]
    assert {1, 77, 432, 500} <= set(orders)
    assert orders == sorted(set(orders))
    assert len(kept) < 60
    assert max(b - a for a, b in zip(orders, orders[1:], strict=False)) <= 10
    everything = curve_points(search)
    assert [point.order for point in everything] == list(range(1, 501))
    assert [point for point in everything if point.order in set(orders)] == kept
    # The mean is of the last scores: a failure has none, and counts for none.
    assert everything[300].mean is None
    scores = [reward for reward in rewards[:305] if reward is not None]
    assert everything[304].mean == pytest.approx(sum(scores[-MEAN_OF:]) / MEAN_OF)


def test_trials_in_flight_show_their_newest_epoch() -> None:
    search = make_search(protocol=Protocol(max_epochs=60))
    make_trials(search, [0.2])
    trial = make_trial(search, 2, started_at="2026-01-01T00:00:00Z")
    make_trial(search, 3, state=RunState.QUEUED)
    make_curve(trial, [0.1, 0.15])
    running, queued = in_flight(search)
    assert (running.number, running.epoch, running.max_epochs, running.score) == (2, 2, 60, 0.15)
    assert (queued.number, queued.epoch, queued.score, queued.state_label) == (3, 0, None, "Queued")


@pytest.mark.parametrize("trials", [3, 60])
def test_selectors_take_the_same_queries_however_many_trials(trials: int, django_assert_num_queries: Any) -> None:
    search = make_search(state=SearchState.FINISHED, planned_trials=100)
    rows = make_trials(search, [0.2 + 0.001 * index for index in range(trials)])
    for row in rows[-3:]:
        make_finalist(row, [0.3, 0.31])
    for name in ("popularity", "itemknn", "ease"):
        make_baseline(search, name, 0.2)
    with django_assert_num_queries(4 if trials < LEADERBOARD_TRIALS else 5):
        leaderboard(search)
    with django_assert_num_queries(4):
        progress(search)
    with django_assert_num_queries(1):
        in_flight(search)
    with django_assert_num_queries(4):  # the points, the best before them, the last of each arm for the moving mean
        points_after(search, cursor=1)
    with django_assert_num_queries(2):
        points_after(search, cursor=1000)


def test_lists_of_searches_take_two_queries_and_a_count(django_assert_num_queries: Any) -> None:
    for index in range(4):
        make_trials(make_search(name=f"Search {index}"), [0.1 * (index + 1), None])
    with django_assert_num_queries(3):
        rows = search_rows(list(searches_page(text="search")))
        names = [(row.search.name, row.search.dataset.name, row.done, row.failed, row.best) for row in rows]
    assert names == [(f"Search {index}", "Toy", 2, 1, pytest.approx(0.1 * (index + 1))) for index in (3, 2, 1, 0)]


def test_searches_are_filtered_by_text_and_state() -> None:
    make_search(name="Alpha", dataset=make_dataset(name="Movies"), state=SearchState.FINISHED)
    make_search(name="Beta", dataset=make_dataset(name="Shop"))
    assert [search.name for search in searches_page(text="alph")] == ["Alpha"]
    assert [search.name for search in searches_page(text="shop")] == ["Beta"]
    assert [search.name for search in searches_page(state="finished")] == ["Alpha"]
    assert [search.name for search in searches_page(text="%")] == []
    assert [search.name for search in searches_page(page="999")] == ["Beta", "Alpha"]


def test_home_tells_current_searches_from_past_ones() -> None:
    make_search(name="Now")
    make_search(name="Then", state=SearchState.FINISHED)
    home = home_overview()
    assert [row.search.name for row in home.running] == ["Now"]
    assert [row.search.name for row in home.recent] == ["Then"]
    assert (home.has_ready_dataset, home.workers.alive) == (True, 0)
    make_worker()
    assert home_overview().workers.alive == 1


def test_decisions_are_in_the_order_of_the_catalogue_whatever_the_database_did() -> None:
    shuffled = Architecture.of({"loss": "bpr", "operator.2": "gat", "layers": 2, "l2": 1e-5, "operator.1": "gcn", "node_dim": 64})
    assert decision_rows(shuffled) == [
        ("Node embedding size", "64"),
        ("Number of layers", "2"),
        ("Network structure, layer 1", "GCN"),
        ("Network structure, layer 2", "GAT"),
        ("L2 regularisation", "1e-05"),
        ("Training objective", "BPR"),
    ]


def test_mean_and_sd_of_one_seed_has_no_deviation() -> None:
    assert mean_and_sd([{"ndcg@20": 0.5}]) == {"ndcg@20": (0.5, 0.0)}
    assert mean_and_sd([{"ndcg@20": 1.0}, {"ndcg@20": 3.0}]) == {"ndcg@20": (2.0, pytest.approx(math.sqrt(2)))}


def test_metric_labels() -> None:
    assert [metric_label(name) for name in ("ndcg@20", "f1@5", "hit@10")] == ["NDCG@20", "F1@5", "Hit rate@10"]
