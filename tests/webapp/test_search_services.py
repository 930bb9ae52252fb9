from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from gnn.catalogue import preset_space
from gnn.errors import SpaceError
from gnn.protocol import Protocol
from gnn.space import DecisionSpec, SearchSpace
from webapp.enums import DatasetState, Ending, Failure, RunState, SearchState
from webapp.models import Baseline, Blob, Dataset, FinalistRun, Search, Trial, TrialEpoch
from webapp.queue import CONTROL_QUEUE, TRIALS_QUEUE, app, waiting_messages
from webapp.services import reaper, runs, search_rounds, searches, trials
from webapp.services.baselines import BASELINES, baseline_complete
from webapp.services.errors import Conflict
from webapp.services.finalists import finalist_complete, finalists_choose
from webapp.services.locks import INGEST, advisory_lock
from webapp.services.trials import Directive, TrialResult

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def empty_queues() -> None:
    with app.connection_for_write() as connection:
        connection.default_channel.client.delete(CONTROL_QUEUE, TRIALS_QUEUE)


@pytest.fixture
def dataset() -> Dataset:
    return Dataset.objects.create(name="films", state=DatasetState.READY, filename="films.csv", source_blob="a" * 64)


def start(dataset: Dataset, **changes: Any) -> Search:
    arguments: dict[str, Any] = {
        "owner": None,
        "name": "first",
        "dataset": dataset,
        "space": preset_space("demo"),
        "protocol": Protocol(),
        "controller": "random",
        "planned_trials": 4,
        "workers": 2,
        "seed": 7,
        "start_token": uuid.uuid4(),
    }
    return searches.search_start(**(arguments | changes))


def new_trial(search: Search, number: int = 1, **changes: Any) -> Trial:
    return Trial.objects.create(search=search, number=number, architecture={"layers": number}, key=f"{number:016x}", seed=number, **changes)


def claim(trial: Trial) -> Trial:
    claimed = runs.run_claim(Trial, run_id=trial.pk, worker="here/1")
    assert claimed is not None
    return claimed


def expire(trial: Trial) -> None:
    Trial.objects.filter(pk=trial.pk).update(lease_expires_at=Now() - timedelta(seconds=1))


def test_start_freezes_everything_and_queues_the_baselines(dataset: Dataset, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        search = start(dataset)
    assert search.state == SearchState.RUNNING
    assert SearchSpace.from_json(search.space).size == preset_space("demo").size
    assert Protocol.from_json(search.protocol) == Protocol()
    assert sorted(search.baselines.values_list("name", flat=True)) == sorted(BASELINES)
    assert waiting_messages(TRIALS_QUEUE) == len(BASELINES)
    assert waiting_messages(CONTROL_QUEUE) == 1


@pytest.mark.django_db(transaction=True)
def test_pressing_start_twice_gives_one_search() -> None:
    dataset = Dataset.objects.create(name="films", state=DatasetState.READY, filename="films.csv", source_blob="a" * 64)
    token = uuid.uuid4()
    first, second = start(dataset, start_token=token), start(dataset, start_token=token)
    assert first.pk == second.pk
    assert Search.objects.count() == 1
    assert Baseline.objects.count() == len(BASELINES)
    with pytest.raises(Conflict, match=f"has started search {first.pk} already, with other settings"):
        start(dataset, start_token=token, planned_trials=5)


def test_start_refuses_a_split_by_time_where_there_are_no_times(dataset: Dataset) -> None:
    dataset.profile = {"timeline": None}
    with pytest.raises(SpaceError, match="'films' has no times") as error:
        start(dataset, protocol=Protocol(split="temporal"))
    assert error.value.field == "split"
    assert start(dataset).state == SearchState.RUNNING


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"planned_trials": 0}, "planned_trials"),
        ({"workers": 0}, "workers"),
        ({"workers": 257}, "workers"),
        ({"seed": -1}, "seed"),
        ({"controller": "oracle"}, "controller"),
        ({"space": SearchSpace([DecisionSpec("colour", ("red",))])}, "colour"),
    ],
)
def test_start_refuses_what_cannot_run_and_names_the_field(dataset: Dataset, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(SpaceError) as error:
        start(dataset, **changes)
    assert error.value.field == field
    assert Search.objects.count() == 0


def test_start_refuses_a_dataset_that_is_not_ready(dataset: Dataset) -> None:
    dataset.state = DatasetState.INGESTING
    with pytest.raises(Conflict, match="'films' is ingesting"):
        start(dataset)


def test_a_trial_is_claimed_once(dataset: Dataset) -> None:
    trial = new_trial(start(dataset))
    claimed = claim(trial)
    assert (claimed.state, claimed.attempt, claimed.worker) == (RunState.RUNNING, 1, "here/1")
    assert claimed.started_at is not None
    assert runs.run_claim(Trial, run_id=trial.pk, worker="there/2") is None


def test_an_expired_lease_passes_to_another_worker_and_the_late_one_is_refused(dataset: Dataset) -> None:
    trial = new_trial(start(dataset))
    late = claim(trial)
    expire(trial)
    second = claim(trial)
    assert second.attempt == 2
    assert trials.trial_report_epoch(late, epoch=1, loss=1.0, scores={}, best=0.0, seconds=1.0, prune=False) is Directive.ABANDON
    assert not runs.run_renew(late)
    assert not runs.run_fail(late, failure=Failure.ERROR, message="late")
    assert not runs.run_release(late)
    assert not trials.trial_complete(late, result=reached(0.9), ending=Ending.EPOCHS)
    assert not trials.trial_wait(late, result=reached(0.9), checkpoint=b"late")
    assert not TrialEpoch.objects.exists()
    assert trials.trial_complete(second, result=reached(0.2), ending=Ending.EPOCHS)
    trial.refresh_from_db()
    assert trial.scores == {"ndcg@20": 0.2}


def reached(score: float) -> TrialResult:
    return TrialResult(scores={"ndcg@20": score}, parameters=1, epochs=1, best_epoch=1, train_seconds=1.0)


@pytest.mark.parametrize("state", [SearchState.PAUSED, SearchState.STOPPED, SearchState.FINISHED, SearchState.FAILED])
def test_nothing_is_claimed_in_a_search_that_does_not_run(dataset: Dataset, state: SearchState) -> None:
    search = start(dataset)
    trial = new_trial(search)
    Search.objects.filter(pk=search.pk).update(state=state)
    assert runs.run_claim(Trial, run_id=trial.pk, worker="here/1") is None
    trial.refresh_from_db()
    assert trial.state == RunState.QUEUED


def test_an_epoch_is_written_once_and_the_search_is_obeyed(dataset: Dataset) -> None:
    search = start(dataset)
    trial = claim(new_trial(search))
    assert (
        trials.trial_report_epoch(trial, epoch=1, loss=2.0, scores={"ndcg@20": 0.1}, best=0.2, seconds=0.5, prune=False)
        is Directive.CONTINUE
    )
    assert (
        trials.trial_report_epoch(trial, epoch=1, loss=1.5, scores={"ndcg@20": 0.2}, best=0.2, seconds=0.5, prune=False)
        is Directive.CONTINUE
    )
    written = TrialEpoch.objects.get()
    assert (written.loss, written.scores) == (1.5, {"ndcg@20": 0.2})
    searches.search_pause(search_id=search.pk)
    assert trials.trial_report_epoch(trial, epoch=2, loss=1.0, scores={}, best=0.2, seconds=0.5, prune=False) is Directive.PAUSE
    searches.search_stop(search_id=search.pk)
    assert trials.trial_report_epoch(trial, epoch=3, loss=1.0, scores={}, best=0.2, seconds=0.5, prune=False) is Directive.ABANDON


def test_a_checkpoint_replaces_the_one_before_and_goes_when_the_trial_completes(dataset: Dataset) -> None:
    trial = claim(new_trial(start(dataset)))
    runs.run_save_checkpoint(trial, checkpoint=b"one")
    runs.run_save_checkpoint(trial, checkpoint=b"two")
    assert list(Blob.objects.values_list("name", flat=True)) == [trial.checkpoint_blob]
    trials.trial_complete(trial, result=reached(0.2), ending=Ending.PATIENCE)
    assert not Blob.objects.exists()


def test_a_late_checkpoint_leaves_nothing_behind(dataset: Dataset) -> None:
    trial = new_trial(start(dataset))
    late = claim(trial)
    expire(trial)
    claim(trial)
    runs.run_save_checkpoint(late, checkpoint=b"late")
    assert not Blob.objects.exists()


def test_pause_and_resume_send_every_queued_run_again(dataset: Dataset, django_capture_on_commit_callbacks: Any) -> None:
    search = start(dataset)
    new_trial(search)
    running = claim(new_trial(search, 2))
    searches.search_pause(search_id=search.pk)
    assert runs.run_release(running)
    with pytest.raises(Conflict, match="paused, so it cannot be paused"):
        searches.search_pause(search_id=search.pk)
    with django_capture_on_commit_callbacks(execute=True):
        assert searches.search_resume(search_id=search.pk).state == SearchState.RUNNING
    assert waiting_messages(TRIALS_QUEUE) == 2 + len(BASELINES)
    with pytest.raises(Conflict, match="running, not paused"):
        searches.search_resume(search_id=search.pk)


def test_resume_returns_to_testing_finalists(dataset: Dataset) -> None:
    search = start(dataset)
    new_trial(search, state=RunState.COMPLETED, reward=0.3)
    finalists_choose(search, count=1, seeds=[1])
    searches.search_begin_finishing(search, message="")
    searches.search_pause(search_id=search.pk)
    assert searches.search_resume(search_id=search.pk).state == SearchState.FINISHING


def test_stop_ends_everything_in_flight(dataset: Dataset) -> None:
    search = start(dataset)
    completed = new_trial(search, state=RunState.COMPLETED, reward=0.3)
    new_trial(search, 2)
    claim(new_trial(search, 3))
    searches.search_stop(search_id=search.pk)
    search.refresh_from_db()
    assert search.state == SearchState.STOPPED
    assert search.finished_at is not None
    assert list(search.trials.order_by("number").values_list("state", flat=True)) == ["completed", "stopped", "stopped"]
    assert set(search.baselines.values_list("state", flat=True)) == {RunState.STOPPED}
    completed.refresh_from_db()
    assert completed.reward == 0.3
    with pytest.raises(Conflict, match="already stopped"):
        searches.search_stop(search_id=search.pk)


def test_finish_now_ends_the_budget_at_the_trials_asked_for(dataset: Dataset) -> None:
    search = start(dataset)
    with pytest.raises(Conflict, match="no trial yet"):
        searches.search_finish_now(search_id=search.pk)
    new_trial(search)
    assert searches.search_finish_now(search_id=search.pk).spent == "a person asked to finish now"


def test_finalists_are_the_best_by_validation_and_run_once_per_seed(dataset: Dataset) -> None:
    search = start(dataset)
    for number, reward in enumerate((0.1, 0.3, 0.2, 0.3), start=1):
        new_trial(search, number, state=RunState.COMPLETED, reward=reward)
    new_trial(search, 5, state=RunState.FAILED, reward=9.0)
    chosen = finalists_choose(search, count=2, seeds=[11, 12])
    assert [trial.number for trial in chosen] == [2, 4]
    assert sorted(FinalistRun.objects.values_list("trial__number", "seed")) == [(2, 11), (2, 12), (4, 11), (4, 12)]


def test_the_search_waits_for_every_baseline_and_finalist(dataset: Dataset) -> None:
    search = start(dataset)
    trial = new_trial(search, state=RunState.COMPLETED, reward=0.3)
    finalists_choose(search, count=1, seeds=[1])
    searches.search_begin_finishing(search, message="")
    for baseline_id in search.baselines.values_list("pk", flat=True):
        baseline = runs.run_claim(Baseline, run_id=baseline_id, worker="here/1")
        assert baseline is not None
        assert baseline_complete(baseline, valid_scores={"ndcg@20": 0.1}, test_scores={"ndcg@20": 0.1}, test_users=b"", train_seconds=0.1)
    assert not searches.runs_all_ended(search)
    run = runs.run_claim(FinalistRun, run_id=trial.finalist_runs.get().pk, worker="here/1")
    assert run is not None
    assert finalist_complete(run, valid_scores={}, test_scores={"ndcg@20": 0.4}, test_users=b"", epochs=3, best_epoch=2, train_seconds=1.0)
    assert searches.runs_all_ended(search)


def test_the_reaper_requeues_a_lost_run_and_gives_up_after_three(dataset: Dataset, django_capture_on_commit_callbacks: Any) -> None:
    trial = new_trial(start(dataset))
    for losses in (1, 2):
        expire(claim(trial))
        with django_capture_on_commit_callbacks(execute=True):
            reaper.reap()
        trial.refresh_from_db()
        assert (trial.state, trial.losses) == (RunState.QUEUED, losses)
    expire(claim(trial))
    reaper.reap()
    trial.refresh_from_db()
    assert (trial.state, trial.failure, trial.losses, trial.attempt) == (RunState.FAILED, Failure.LOST, 3, 3)
    assert "memory" in trial.message


def test_the_reaper_leaves_a_live_lease_alone(dataset: Dataset) -> None:
    trial = claim(new_trial(start(dataset)))
    reaper.reap()
    assert runs.run_renew(trial)


def test_the_reaper_sends_lost_messages_again_only_when_the_queue_is_empty(
    dataset: Dataset, django_capture_on_commit_callbacks: Any
) -> None:
    search = start(dataset)
    Baseline.objects.all().delete()
    trial = new_trial(search)
    with django_capture_on_commit_callbacks(execute=True):
        reaper.reap()
    assert waiting_messages(TRIALS_QUEUE) == 0  # its first message may still be on the way
    Trial.objects.filter(pk=trial.pk).update(enqueued_at=Now() - timedelta(hours=1))
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            reaper.reap()
        assert waiting_messages(TRIALS_QUEUE) == 1


def test_the_reaper_wakes_a_search_that_stands_still(dataset: Dataset, django_capture_on_commit_callbacks: Any) -> None:
    search = start(dataset)
    with django_capture_on_commit_callbacks(execute=True):
        reaper.reap()
    assert waiting_messages(CONTROL_QUEUE) == 1
    search_rounds.search_record_round(search, promoted=[], proposed=[])
    with app.connection_for_write() as connection:
        connection.default_channel.client.delete(CONTROL_QUEUE)
    with django_capture_on_commit_callbacks(execute=True):
        reaper.reap()
    assert waiting_messages(CONTROL_QUEUE) == 0


@pytest.mark.django_db(transaction=True)
def test_an_advisory_lock_is_held_by_one_session_at_a_time() -> None:
    def try_elsewhere() -> bool:
        try:
            with advisory_lock(INGEST, 7) as got:
                return got
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with advisory_lock(INGEST, 7) as got:
            assert got
            assert not pool.submit(try_elsewhere).result()
            with advisory_lock(INGEST, 8) as other:
                assert other
        assert pool.submit(try_elsewhere).result()


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_down_does_not_undo_what_was_decided(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OperationalError("connection refused")

    dataset = Dataset.objects.create(name="films", state=DatasetState.READY, filename="films.csv", source_blob="a" * 64)
    monkeypatch.setattr(app, "send_task", refuse)
    search = start(dataset)
    assert Search.objects.get().pk == search.pk
    assert "connection refused" in caplog.text


def test_a_given_split_needs_data_that_came_divided(dataset: Dataset) -> None:
    Dataset.objects.filter(pk=dataset.pk).update(profile=dataset.profile | {"parts": None})
    dataset.refresh_from_db()
    with pytest.raises(SpaceError, match="did not come divided") as error:
        start(dataset, protocol=Protocol(split="predefined"))
    assert error.value.field == "split"
