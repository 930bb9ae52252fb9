from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.utils import timezone

from searchworker import tasks
from searchworker.finish import finish
from searchworker.importance import EqualRewards
from tests.webapp.factories import make_baseline, make_finalist, make_search, make_trials
from webapp import queue
from webapp.enums import SearchState
from webapp.models import Baseline, FinalistRun, Search, Trial, TrialRung
from webapp.selectors.importance import PATIENCE_SECONDS, importance_is_awaited
from webapp.services import searches
from webapp.services.importance import search_importance_ask

pytestmark = pytest.mark.django_db

USERS = 200


def stored(values: np.ndarray) -> bytes:
    return values.astype("<f4").tobytes()


def give_users(search: Search, trial: Trial, seeds: list[np.ndarray]) -> None:
    make_finalist(trial, [float(values.mean()) for values in seeds])
    for run, values in zip(FinalistRun.objects.filter(trial=trial).order_by("id"), seeds, strict=True):
        FinalistRun.objects.filter(pk=run.pk).update(test_users=stored(values))


def searched(controller: str = "ppo") -> tuple[Search, np.ndarray]:
    """A search with two own finalists and one by chance; the first is 0.1 above EASE for every user, give or take."""
    generator = np.random.default_rng(0)
    ease = generator.uniform(0.1, 0.5, USERS)
    search = make_search(state=SearchState.FINISHING, controller=controller)
    first, second, chance = make_trials(search, [0.4, 0.3, 0.2])
    Trial.objects.filter(pk=chance.pk).update(arm="random")
    noise = generator.normal(0, 0.02, (3, USERS))
    give_users(search, first, [ease + 0.1 + noise[0], ease + 0.1 - noise[0]])
    give_users(search, second, [ease + 0.1 + noise[1]])
    give_users(search, chance, [ease + noise[2]])
    for name, values in (("ease", ease), ("popularity", ease - 0.05)):
        make_baseline(search, name, 0.1, test=float(values.mean()))
        Baseline.objects.filter(search=search, name=name).update(test_users=stored(values))
    return search, ease


def test_the_winner_by_validation_is_compared_with_everything_beside_it() -> None:
    search, ease = searched()
    finish(search)
    search.refresh_from_db()
    assert search.state == SearchState.FINISHED
    rows = {(row["kind"], row["second"]): row for row in search.comparisons}
    finalists = [row for row in search.comparisons if row["kind"] == "finalist"]
    beside = {("baseline", "EASE"), ("baseline", "Popularity"), ("runner_up", "trial 2"), ("random_arm", "trial 3")}
    assert set(rows) == {*beside, ("finalist", "EASE")}
    against = rows["baseline", "EASE"]
    # The noise of the two seeds cancels, so every user is 0.1 ahead.
    assert against["difference"] == pytest.approx(0.1, abs=1e-6)
    assert (against["low"], against["high"]) == pytest.approx((0.1, 0.1), abs=1e-6)
    assert rows["baseline", "Popularity"]["difference"] == pytest.approx(0.15, abs=1e-6)
    assert rows["runner_up", "trial 2"]["low"] < 0 < rows["runner_up", "trial 2"]["high"]
    # Every finalist is paired with the best baseline on test, also the one by chance, which is no better.
    assert [(row["first"], round(row["difference"], 1), row["p"] < 0.001) for row in finalists] == [
        ("trial 1", 0.1, True), ("trial 2", 0.1, True), ("trial 3", 0.0, False),
    ]  # fmt: skip
    assert search.message == (
        f"PPO's best, trial 1, scores {ease.mean() + 0.1:.4f} NDCG@20 on test (mean of 2 seeds). "
        "It beats the best baseline, EASE, by 0.100 NDCG@20 (95 % CI 0.100 to 0.100; p < 0.001, Holm-corrected for 4 comparisons). "
        + search.message[search.message.index("It beats the best of random search") :]
    )


def test_the_search_is_not_locked_while_its_importance_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    search, _ = searched()
    depths: list[int] = []

    def watched(*_: object) -> EqualRewards:
        depths.append(len(connection.savepoint_ids))
        return EqualRewards(0)

    monkeypatch.setattr("searchworker.measuring.importance", watched)
    before = len(connection.savepoint_ids)
    tasks.advance_search(search.pk)
    assert depths == [before, before]
    search.refresh_from_db()
    assert search.state == SearchState.FINISHED


def test_a_search_that_is_paused_while_it_is_compared_is_not_ended() -> None:
    search, _ = searched()
    searches.search_pause(search_id=search.pk)
    finish(search)
    search.refresh_from_db()
    assert (search.state, search.comparisons) == (SearchState.PAUSED, [])


def test_a_search_that_is_behind_a_baseline_says_to_use_that() -> None:
    search, ease = searched("random")
    Baseline.objects.filter(search=search, name="ease").update(test_users=stored(ease + 0.3))
    finish(search)
    search.refresh_from_db()
    assert "Random search's best, trial 1, scores" in search.message
    assert "It is behind the best baseline, EASE, by 0.200 NDCG@20" in search.message
    assert "Use EASE." in search.message


def test_without_a_tested_finalist_or_baseline_the_verdict_says_so() -> None:
    search = make_search(state=SearchState.FINISHING)
    finish(search)
    search.refresh_from_db()
    assert "no finalist could be retrained" in search.message
    search, _ = searched()
    search.baselines.all().delete()
    finish(search)
    search.refresh_from_db()
    assert "No baseline completed." in search.message


def test_importance_is_of_the_rewards_at_the_first_rung() -> None:
    search, _ = searched()
    space_trials = make_trials(search, [None] * 40, start=10)
    for trial in space_trials:
        reward = 1.0 if trial.architecture["node_dim"] == 128 else 0.0
        TrialRung.objects.create(trial=trial, search=search, arm="controller", rung=0, epochs=1, seconds=1.0, reward=reward)
    finish(search)
    search.refresh_from_db()
    for shares in search.importance.values():
        assert max(shares, key=shares.__getitem__) == "node_dim"
    assert set(search.importance) == {"fanova", "ped_anova"}


def test_importance_can_be_asked_for_while_a_search_runs(django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, tuple[int, ...]]] = []
    monkeypatch.setattr(queue.app, "send_task", lambda task, args, queue: sent.append((task, args)))
    search = make_search()
    with django_capture_on_commit_callbacks(execute=True):
        assert search_importance_ask(search_id=search.pk)
        assert not search_importance_ask(search_id=search.pk)  # it is under way
    assert sent == [(queue.MEASURE_IMPORTANCE, (search.pk,))]
    tasks.measure_search_importance(search.pk)
    search.refresh_from_db()
    assert (search.importance, search.importance_trials, search.importance_asked_at) == ({}, 0, None)
    assert search.importance_note == "It takes 20 trials with a score, and there are 0."

    for trial in make_trials(search, [None] * 40):
        reward = 1.0 if trial.architecture["node_dim"] == 128 else 0.0
        TrialRung.objects.create(trial=trial, search=search, arm="controller", rung=0, epochs=1, seconds=1.0, reward=reward)
    assert search_importance_ask(search_id=search.pk)
    tasks.measure_search_importance(search.pk)
    search.refresh_from_db()
    assert (search.importance_trials, search.importance_note) == (40, "")
    assert max(search.importance["fanova"], key=search.importance["fanova"].__getitem__) == "node_dim"


def test_a_request_for_importance_that_was_lost_may_be_made_again() -> None:
    search = make_search(importance_asked_at=timezone.now() - timedelta(seconds=PATIENCE_SECONDS + 1))
    assert not importance_is_awaited(search)
    assert search_importance_ask(search_id=search.pk)
    search.refresh_from_db()
    assert importance_is_awaited(search)
