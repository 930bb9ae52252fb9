"""What becomes of a trial whose newest rung fails or is cut short, and of arms and people that choose the same architecture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gnn.catalogue import build_space
from gnn.errors import Diverged, SpaceError
from gnn.plan import Constraints, Rungs, SearchPlan
from gnn.seeds import derived_seed
from searchworker import tasks, training
from tests.searchworker.searching import PROTOCOL, SPACE, run_everything, start
from tests.toy_dataset import toy_dataset
from tests.webapp.factories import make_search, make_trials
from webapp.enums import Ending, RunState, SearchState
from webapp.models import Search, Trial, TrialRung
from webapp.selectors.rounds import trained_elsewhere
from webapp.selectors.searches import leaderboard
from webapp.services import finalists, searches

pytestmark = pytest.mark.django_db

BY_EPOCHS = Rungs(first=1, factor=2, count=2)
BY_DATA = Rungs(by="data", factor=2, count=2)


def until_promoted(search: Search) -> Trial:
    """Play the search until a trial is queued for its second rung."""
    for _ in range(20):
        tasks.advance_search(search.pk)
        trial = search.trials.get(state=RunState.QUEUED)
        if trial.rung == 1:
            return trial
        tasks.run_trial(trial.pk)
    pytest.fail("No trial was promoted.")


@pytest.mark.parametrize("rungs", [BY_EPOCHS, BY_DATA])
def test_a_trial_that_fails_on_a_later_rung_keeps_what_it_had(rungs: Rungs, monkeypatch: pytest.MonkeyPatch) -> None:
    search = start(planned_trials=4, plan=SearchPlan(random_arm=False, rungs=rungs))
    promoted = until_promoted(search)
    first = TrialRung.objects.get(trial=promoted)
    scores = promoted.scores
    spent = search.arms.get(name="controller").epochs

    def diverge(*_: Any, **__: Any) -> None:
        raise Diverged("The training loss became nan.")

    with monkeypatch.context() as patch:
        patch.setattr(training, "train_architecture", diverge)
        tasks.run_trial(promoted.pk)
    tasks.advance_search(search.pk)
    kept = Trial.objects.get(pk=promoted.pk)
    assert (kept.state, kept.ending, kept.failure, kept.rung) == (RunState.COMPLETED, Ending.FAILED_LATER, "", 0)
    assert (kept.reward, kept.epochs, kept.train_seconds, kept.scores) == (first.reward, first.epochs, first.seconds, scores)
    assert kept.message == "The result is that of rung 1, because rung 2 failed: The training loss became nan."
    assert kept.told_order is not None
    assert search.arms.get(name="controller").epochs == spent
    assert run_everything(search).state == SearchState.FINISHED
    assert search.trials.filter(state=RunState.COMPLETED).count() == 4


@pytest.mark.parametrize("rungs", [BY_EPOCHS, BY_DATA])
def test_a_trial_that_is_stopped_on_a_later_rung_keeps_what_it_had(rungs: Rungs) -> None:
    search = start(planned_trials=4, plan=SearchPlan(random_arm=False, rungs=rungs))
    promoted = until_promoted(search)
    first = TrialRung.objects.get(trial=promoted)
    best = leaderboard(search)[0]
    searches.search_stop(search_id=search.pk)
    search.refresh_from_db()
    kept = Trial.objects.get(pk=promoted.pk)
    assert (kept.state, kept.rung, kept.reward, kept.epochs) == (RunState.COMPLETED, 0, first.reward, first.epochs)
    assert kept.message == "The result is that of rung 1, because rung 2 was stopped with the search."
    assert (leaderboard(search)[0].number, best.number) == (promoted.number, promoted.number)


def test_an_arm_does_not_take_over_what_failed_later_in_another() -> None:
    search = make_search()
    ended, failed = make_trials(search, [0.4, 0.3])
    Trial.objects.filter(pk=failed.pk).update(ending=Ending.FAILED_LATER)
    assert trained_elsewhere(search, "random", [ended.key, failed.key]) == {ended.key: ended}


def test_a_trial_cut_short_on_more_data_does_not_pass_for_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = PROTOCOL.model_copy(update={"max_epochs": 6, "patience": 6, "finalists": 1})
    search = start(planned_trials=6, protocol=protocol, plan=SearchPlan(random_arm=False, rungs=BY_DATA))
    promoted = until_promoted(search)
    first = TrialRung.objects.get(trial=promoted)
    report = training.trials.trial_report_epoch

    def spend_then_report(trial: Trial, **point: Any) -> Any:
        Search.objects.filter(pk=search.pk).update(spent="a person asked to finish now")
        return report(trial, **point)

    with monkeypatch.context() as patch:
        patch.setattr(training.trials, "trial_report_epoch", spend_then_report)
        tasks.run_trial(promoted.pk)
    spent = search.arms.get(name="controller").epochs
    tasks.advance_search(search.pk)
    kept = Trial.objects.get(pk=promoted.pk)
    assert (kept.rung, kept.ending, kept.reward, kept.epochs) == (0, Ending.BUDGET, first.reward, 6)
    assert kept.message == "The result is that of rung 1, because rung 2 was not trained to its end."
    assert search.arms.get(name="controller").epochs == spent + 1, "the epoch was trained all the same"
    best = search.trials.order_by("-reward", "number").first()
    assert best is not None
    assert set(search.finalist_runs.values_list("trial", flat=True)) == {best.pk}
    assert set(search.trials.filter(pk=best.pk).values_list("epochs", flat=True)) == {6}


def test_the_controller_does_not_propose_what_a_person_has_in_training() -> None:
    search = start(planned_trials=20, workers=20)
    chosen = searches.search_enqueue(search_id=search.pk, architecture=SPACE.sample(np.random.default_rng(1)))
    tasks.advance_search(search.pk)
    others = search.trials.filter(arm="controller")
    assert others.count() == SPACE.size - 1
    assert chosen.key not in set(others.values_list("key", flat=True))
    assert run_everything(search).state == SearchState.FINISHED


def test_an_architecture_by_hand_must_keep_to_the_limits_of_the_search() -> None:
    small, large = (SPACE.architecture({"node_dim": dim, "layers": 1, "operator.1": "lightgcn", "learning_rate": 0.02}) for dim in (8, 16))
    profile = toy_dataset().profile
    limit = 12 * (profile["users"] + profile["items"])
    search = start(plan=SearchPlan(random_arm=False, constraints=Constraints(max_parameters=limit)))
    with pytest.raises(SpaceError, match=f"but the search allows {limit:,}") as raised:
        searches.search_enqueue(search_id=search.pk, architecture=large)
    assert raised.value.field == "max_parameters"
    assert searches.search_enqueue(search_id=search.pk, architecture=small).number == 1


def test_a_trial_by_hand_has_the_seed_that_the_arms_would_give_it() -> None:
    search = start()
    chosen = searches.search_enqueue(search_id=search.pk, architecture=SPACE.sample(np.random.default_rng(1)))
    assert chosen.seed == derived_seed(search.seed, int(chosen.key, 16))


def test_one_architecture_is_one_finalist_whoever_chose_it() -> None:
    search = make_search()
    first, twin, second, third = make_trials(search, [0.4, 0.4, 0.3, 0.2])
    Trial.objects.filter(pk=twin.pk).update(arm="manual", key=first.key)
    assert finalists.finalists_choose(search, count=2, seeds=[1, 2]) == [first, second]
    assert finalists.finalists_choose(make_search(), count=2, seeds=[1]) == []
    assert third.pk not in search.finalist_runs.values_list("trial", flat=True)


def test_an_arm_that_has_proposed_all_leaves_its_slots_to_the_others() -> None:
    space = build_space({"node_dim": (8, 16), "layers": (1,), "operator": ("lightgcn",)})
    for seed in range(4):
        search = run_everything(start(space=space, planned_trials=9, seed=seed, plan=SearchPlan()))
        assert search.state == SearchState.FINISHED
        assert dict(search.arms.values_list("name", "proposed")) == {"controller": 2, "random": 2, "manual": 0}
