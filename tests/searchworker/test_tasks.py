"""The tasks called in this process, on the real database: what each leaves behind, and that a repeat changes nothing."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.core.files.storage import default_storage
from django.db import OperationalError

from gnn.catalogue import build_space
from gnn.errors import Diverged, OutOfMemory, SpaceError
from gnn.plan import Rungs, SearchPlan
from gnn.slices import Slices
from searchworker import tasks, training
from tests.searchworker.searching import SPACE, run_everything, start
from webapp.blobs import bytes_file
from webapp.enums import ArmName, Failure, RunState, SearchState
from webapp.models import Arm, ArmPart, Search, Trial
from webapp.selectors.searches import METRIC_LABELS
from webapp.services import search_rounds, searches
from webapp.services.searches import CONTROLLER_NAMES

pytestmark = pytest.mark.django_db


def test_a_search_runs_to_its_verdict() -> None:
    search = run_everything(start())
    assert search.state == SearchState.FINISHED
    assert list(search.trials.order_by("number").values_list("number", "state")) == [(n, "completed") for n in (1, 2, 3)]
    assert sorted(search.trials.values_list("told_order", flat=True)) == [1, 2, 3]
    for trial in search.trials.all():
        assert trial.reward == trial.scores["ndcg@20"]
        assert set(trial.scores) == {f"{metric}@{k}" for metric in (*METRIC_LABELS, "fairness_gap") for k in (10, 20)} | {"auc"}
        assert trial.curve.count() == trial.epochs == 3
    assert {baseline.state for baseline in search.baselines.all()} == {RunState.COMPLETED}
    runs = list(search.finalist_runs.select_related("trial"))
    best = search.trials.order_by("-reward", "number").values_list("number", flat=True)[:2]
    assert sorted({run.trial.number for run in runs}) == sorted(best)
    assert len(runs) == 4
    assert all(0 <= run.test_scores["ndcg@20"] <= 1 for run in runs)
    assert search.message.startswith(f"PPO's best, trial {best[0]}, scores ")
    assert "the best baseline" in search.message
    assert {row["kind"] for row in search.comparisons} == {"baseline", "runner_up", "finalist"}


def test_what_is_kept_of_single_users_agrees_with_the_scores() -> None:
    search = run_everything(start(planned_trials=1))
    trial, run, baseline = search.trials.get(), search.finalist_runs.first(), search.baselines.get(name="ease")
    assert run is not None
    for document, scores in (
        (trial.slices, trial.scores),
        (run.test_slices, run.test_scores),
        (baseline.valid_slices, baseline.valid_scores),
        (baseline.test_slices, baseline.test_scores),
    ):
        slices = Slices.from_json(document)
        assert slices is not None
        users = sum(part.size for part in slices.activity)
        mean = sum(part.values["ndcg@20"][0] * part.size for part in slices.activity) / users
        assert mean == pytest.approx(scores["ndcg@20"], rel=1e-4)
        assert 0 < slices.errors["ndcg@20"] < 0.1
    tested = np.frombuffer(run.test_users or b"", dtype="<f4").astype(float)
    kept = Slices.from_json(run.test_slices)
    assert kept is not None
    assert kept.errors["ndcg@20"] == pytest.approx(tested.std(ddof=1) / np.sqrt(len(tested)), rel=1e-4)
    assert sum(part.size for part in kept.activity) == len(tested)
    # Recall over users weighs each user alike, the share by popularity each interaction; on the toy every user has as many.
    found = sum(part.values["recall@20"][0] * part.size for part in kept.popularity) / sum(part.size for part in kept.popularity)
    assert found == pytest.approx(run.test_scores["recall@20"], abs=0.05)


def test_a_search_goes_on_without_a_baseline_that_needs_too_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnn.baselines.linear.EASE_MAX_ITEMS", 1)
    search = run_everything(start(planned_trials=1))
    assert search.state == SearchState.FINISHED
    ease = search.baselines.get(name="ease")
    assert (ease.state, ease.failure) == (RunState.FAILED, Failure.OUT_OF_MEMORY)
    assert search.baselines.filter(state=RunState.COMPLETED).count() == search.baselines.count() - 1


def test_advancing_twice_changes_nothing() -> None:
    search = start()
    tasks.advance_search(search.pk)
    before = list(Trial.objects.values())
    tasks.advance_search(search.pk)
    assert list(Trial.objects.values()) == before
    assert len(before) == 1


def test_a_trial_starts_again_when_its_checkpoint_cannot_be_used() -> None:
    search = start()
    tasks.advance_search(search.pk)
    trial = search.trials.get()
    trial.checkpoint_blob = default_storage.save("checkpoint", bytes_file(b"written by another version"))
    trial.save()
    tasks.run_trial(trial.pk)
    trial.refresh_from_db()
    assert (trial.state, trial.message, trial.epochs, trial.checkpoint_blob) == (RunState.COMPLETED, "", 3, "")


def test_a_trial_whose_database_went_away_waits_for_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    search = start()
    tasks.advance_search(search.pk)
    trial = search.trials.get()

    def gone(*_: Any, **__: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(training.trials, "trial_report_epoch", gone)
    tasks.run_trial(trial.pk)
    trial.refresh_from_db()
    assert (trial.state, trial.failure) == (RunState.RUNNING, "")
    assert trial.lease_expires_at is not None


def test_running_a_finished_trial_again_changes_nothing() -> None:
    search = start()
    tasks.advance_search(search.pk)
    trial = search.trials.get()
    tasks.run_trial(trial.pk)
    before = Trial.objects.values().get()
    tasks.run_trial(trial.pk)
    assert Trial.objects.values().get() == before


def test_the_same_seed_gives_the_same_trials_and_scores() -> None:
    first, second = run_everything(start()), run_everything(start())
    columns = ("number", "key", "scores", "epochs", "best_epoch")
    assert list(first.trials.order_by("number").values(*columns)) == list(second.trials.order_by("number").values(*columns))


def test_a_paused_trial_goes_back_to_the_queue_and_ends_as_if_undisturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed = run_everything(start(planned_trials=1))
    search = start(planned_trials=1)
    tasks.advance_search(search.pk)
    trial = search.trials.get()
    report = training.trials.trial_report_epoch

    def report_then_pause(trial: Trial, **point: Any) -> Any:
        if point["epoch"] == 2:
            searches.search_pause(search_id=search.pk)
        return report(trial, **point)

    with monkeypatch.context() as patch:
        patch.setattr(training.trials, "trial_report_epoch", report_then_pause)
        tasks.run_trial(trial.pk)
    trial.refresh_from_db()
    assert (trial.state, trial.epochs, trial.attempt) == (RunState.QUEUED, 2, 1)
    assert trial.checkpoint_blob
    searches.search_resume(search_id=search.pk)
    run_everything(search)
    trial.refresh_from_db()
    same = undisturbed.trials.get()
    assert (trial.attempt, trial.scores, trial.best_epoch, trial.checkpoint_blob) == (2, same.scores, same.best_epoch, "")
    assert list(trial.curve.order_by("epoch").values_list("epoch", "loss", "scores")) == list(
        same.curve.order_by("epoch").values_list("epoch", "loss", "scores")
    )


def test_a_stopped_search_is_left_alone_by_its_running_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    search = start()
    tasks.advance_search(search.pk)
    report = training.trials.trial_report_epoch

    def stop_then_report(trial: Trial, **point: Any) -> Any:
        if point["epoch"] == 1:
            searches.search_stop(search_id=search.pk)
        return report(trial, **point)

    monkeypatch.setattr(training.trials, "trial_report_epoch", stop_then_report)
    tasks.run_trial(search.trials.get().pk)
    assert search.trials.get().state == RunState.STOPPED
    assert not search.trials.get().scores


@pytest.mark.parametrize(
    ("error", "failure"),
    [(OutOfMemory("too large"), Failure.OUT_OF_MEMORY), (Diverged("became nan"), Failure.DIVERGED)],
)
def test_a_typed_failure_becomes_a_state_with_its_message_and_a_reward(
    monkeypatch: pytest.MonkeyPatch, error: Exception, failure: Failure
) -> None:
    search = start(planned_trials=2)
    tasks.advance_search(search.pk)
    tasks.run_trial(search.trials.get().pk)
    tasks.advance_search(search.pk)

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(training, "train_architecture", fail)
    tasks.run_trial(search.trials.get(number=2).pk)
    monkeypatch.undo()
    run_everything(search)
    good, bad = search.trials.order_by("number")
    assert (bad.state, bad.failure, bad.message) == (RunState.FAILED, failure, str(error))
    assert bad.reward < good.reward
    assert Search.objects.get(pk=search.pk).state == SearchState.FINISHED


def test_an_unexpected_error_is_kept_with_the_trial_and_raised_but_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    search = start()
    tasks.advance_search(search.pk)

    def fail(*_: Any, **__: Any) -> None:
        raise KeyError("oops")

    monkeypatch.setattr(training, "train_architecture", fail)
    with pytest.raises(KeyError):
        tasks.run_trial(search.trials.get().pk)
    tasks.advance_search(search.pk)
    trial = search.trials.get(number=1)
    assert (trial.state, trial.failure) == (RunState.FAILED, Failure.ERROR)
    message, place = trial.message.splitlines()
    assert message == "KeyError: 'oops'"
    # Recsmith's own last line, without the folder it lies in.
    assert re.fullmatch(r"searchworker/training\.py, line \d+, in \w+: .*train.*", place)
    assert (trial.reward, trial.told_order) == (None, 1)


def test_a_search_whose_trials_all_fail_ends_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    search = start(planned_trials=2)

    def fail(*_: Any, **__: Any) -> None:
        raise OutOfMemory("needs 900 GiB")

    monkeypatch.setattr(training, "train_architecture", fail)
    search = run_everything(search)
    assert search.state == SearchState.FAILED
    assert search.message == "All 2 trials failed. The last one: needs 900 GiB"


def test_a_space_smaller_than_the_budget_ends_the_search_early() -> None:
    space = build_space({"node_dim": (8,), "layers": (1,), "operator": ("lightgcn", "gcn")})
    assert space.size == 2
    search = run_everything(start(space=space, planned_trials=9, workers=4))
    assert search.state == SearchState.FINISHED
    assert search.trials.count() == 2


@pytest.mark.parametrize("controller", CONTROLLER_NAMES)
@pytest.mark.parametrize("rungs", [None, Rungs(first=1, factor=2, count=2)])
def test_a_controller_whose_state_is_of_another_version_learns_again_from_what_was_told(controller: str, rungs: Rungs | None) -> None:
    search = start(controller=controller, planned_trials=7, workers=2, plan=SearchPlan(random_arm=False, rungs=rungs))
    searches.search_enqueue(search_id=search.pk, architecture=SPACE.sample(np.random.default_rng(0)))
    for _ in range(3):
        tasks.advance_search(search.pk)
        waiting = search.trials.filter(state=RunState.QUEUED).order_by("number").first()
        assert waiting is not None
        tasks.run_trial(waiting.pk)
    assert search.trials.filter(state=RunState.QUEUED).exists(), "a proposal of the old controller is still in training"
    Arm.objects.filter(search=search, name=ArmName.CONTROLLER).update(state=b"of another version")
    tasks.advance_search(search.pk)
    search.refresh_from_db()
    assert "learned again from its" in search.message
    assert run_everything(search).state == SearchState.FINISHED
    assert search.trials.filter(arm=ArmName.CONTROLLER).count() == 7, "every other architecture of the space, each once"
    assert search.trials.exclude(told_order=None).count() == 8


def test_a_controller_that_learns_again_does_not_propose_what_failed_without_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    search = start(planned_trials=SPACE.size)
    tasks.advance_search(search.pk)

    def fail(*_: Any, **__: Any) -> None:
        raise OutOfMemory("needs 900 GiB")

    with monkeypatch.context() as patch:
        patch.setattr(training, "train_architecture", fail)
        tasks.run_trial(search.trials.get().pk)
    tasks.advance_search(search.pk)
    failed = search.trials.get(state=RunState.FAILED)
    assert (failed.told_order, failed.reward) == (1, None)
    arm = Arm.objects.get(search=search, name=ArmName.CONTROLLER)
    Arm.objects.filter(pk=arm.pk).update(state=b"of another version")
    ArmPart.objects.create(arm=arm, name="of another version", content=b"that knows nothing of this part")
    assert run_everything(search).state == SearchState.FINISHED
    assert search.trials.filter(arm=ArmName.CONTROLLER).count() == SPACE.size
    assert not ArmPart.objects.filter(arm=arm, name="of another version").exists()


@pytest.mark.django_db(transaction=True)
def test_a_search_that_cannot_go_on_ends_with_a_message() -> None:
    search = start()
    tasks.advance_search(search.pk)
    tasks.run_trial(search.trials.get().pk)
    Search.objects.filter(pk=search.pk).update(controller="of a version to come")
    with pytest.raises(SpaceError):
        tasks.advance_search(search.pk)
    search.refresh_from_db()
    assert search.state == SearchState.FAILED
    assert search.message.startswith("The search cannot go on. SpaceError: ")
    assert search.trials.get().state == RunState.COMPLETED


def test_a_trial_over_its_time_limit_fails_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    search = start(planned_trials=1)
    tasks.advance_search(search.pk)

    def too_long(*_: Any, **__: Any) -> None:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(training, "train_architecture", too_long)
    tasks.run_trial(search.trials.get().pk)
    trial = search.trials.get()
    assert (trial.state, trial.failure) == (RunState.FAILED, Failure.TIME_LIMIT)
    assert "RECSMITH_TRIAL_LIMIT_SECONDS" in trial.message


def test_a_trial_that_ends_during_a_round_is_told_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    search = start(planned_trials=1)
    tasks.advance_search(search.pk)
    record = search_rounds.search_record_told

    def end_a_trial_then_record(*arguments: Any, **named: Any) -> None:
        tasks.run_trial(search.trials.get().pk)
        record(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(search_rounds, "search_record_told", end_a_trial_then_record)
        tasks.advance_search(search.pk)
    search.refresh_from_db()
    assert search.state == SearchState.RUNNING
    tasks.advance_search(search.pk)
    search.refresh_from_db()
    assert search.state == SearchState.FINISHING
    assert search.trials.get().told_order == 1
    assert search.trials.get().reward is not None
