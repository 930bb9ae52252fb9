"""Celery tasks: ids in, claim, call the library and a service, done. Running any of them twice is harmless."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from celery import Task
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import InterfaceError, OperationalError, connection, transaction

from gnn.errors import Diverged, GnnError, OutOfMemory, TrainError
from gnn.protocol import Protocol
from gnn.space import Architecture, SearchSpace
from gnn.train import EpochReport
from searchworker.celery import app, device_name, draining
from searchworker.heartbeat import Heartbeat
from searchworker.prepared import PreparedCache, PreparedData
from searchworker.rounds import FAILURES_BEFORE_GIVING_UP, Ended, Situation, derived_seed, play_round
from searchworker.trial import Trained, run_reference, score_on_test, train_architecture
from webapp import queue
from webapp.enums import Failure, RunState, SearchState
from webapp.models import Baseline, ControllerState, FinalistRun, Search, Trial
from webapp.selectors import rounds as round_selectors
from webapp.selectors.datasets import dataset_interactions
from webapp.services import baselines, datasets, finalists, previews, reaper, runs, searches, trials
from webapp.services.locks import INGEST, advisory_lock
from webapp.services.trials import Directive

log = logging.getLogger(__name__)

CHECKPOINT_EVERY_SECONDS = 60
"""At most this much training is lost with a worker."""

_prepared = PreparedCache()


class _Abandoned(Exception):
    """Another attempt owns the run, or the search has ended: stop and write nothing."""


class _GivenBack(Exception):
    """The run goes back to the queue: its search is paused or this worker is shutting down."""


@app.task(name=queue.INGEST_DATASET)
def ingest_dataset(dataset_id: int) -> None:
    with advisory_lock(INGEST, dataset_id) as alone:
        if alone:  # a resent message must not read a large file twice at once
            datasets.dataset_ingest(dataset_id=dataset_id)


@app.task(name=queue.PREVIEW_PREPARATION)
def preview_preparation(dataset_id: int) -> None:
    previews.preview_compute(dataset_id=dataset_id)


@app.task(name=queue.REAP)
def reap() -> None:
    reaper.reap()


@app.task(name=queue.ADVANCE_SEARCH)
def advance_search(search_id: int) -> None:
    try:
        _advance(search_id)
    except (InterfaceError, OperationalError):
        raise  # the database was away; the reaper wakes the search again
    except Exception as error:
        searches.search_break_off(search_id=search_id, message=f"The search cannot go on. {type(error).__name__}: {error}")
        raise


@transaction.atomic
def _advance(search_id: int) -> None:
    search = searches.search_lock(search_id)
    if search.state == SearchState.RUNNING:
        _advance_running(search)
    elif search.state == SearchState.FINISHING and searches.runs_all_ended(search):
        searches.search_finish(search, message=round_selectors.verdict(search))


def _advance_running(search: Search) -> None:
    protocol = Protocol.from_json(search.protocol)
    # Counted before the ended ones are read: a trial that ends in between still counts as in flight, and the
    # round that its end wakes will tell it. The other way round it could be left out for good.
    in_flight, asked = round_selectors.trial_counts(search)
    ended = round_selectors.ended_untold(search)
    stored = ControllerState.objects.filter(search=search).first()
    failed = any(trial.state == RunState.FAILED for trial in ended)
    round_ = play_round(
        Situation(
            space=SearchSpace.from_json(search.space),
            controller=search.controller,
            seed=search.seed,
            planned=search.planned_trials,
            asked=asked,
            slots=search.workers - in_flight,
            ended=[
                Ended(Architecture.of(trial.architecture), trial.behaviour, trial.scores.get(protocol.objective), trial.failure)
                for trial in ended
            ],
            completed_rewards=round_selectors.completed_rewards(search) if failed else (),
            controller_state=bytes(stored.data) if stored else None,
        )
    )
    searches.search_record_round(
        search,
        told=list(zip(ended, round_.rewards, strict=True)),
        proposed=[
            searches.NewTrial(
                number=number,
                architecture=proposal.architecture.to_json(),
                key=proposal.architecture.key,
                behaviour=proposal.behaviour,
                seed=derived_seed(search.seed, number),
            )
            for number, proposal in enumerate(round_.proposals, start=asked + 1)
        ],
        controller_state=round_.controller_state,
    )
    new = len(round_.proposals)
    _end_if_over(search, protocol, in_flight=in_flight + new, asked=asked + new, exhausted=round_.exhausted)


def _end_if_over(search: Search, protocol: Protocol, *, in_flight: int, asked: int, exhausted: bool) -> None:
    spent = in_flight == 0 and (exhausted or asked >= search.planned_trials)
    if (spent or asked - in_flight >= FAILURES_BEFORE_GIVING_UP) and not round_selectors.any_completed(search):
        message = f"All {asked - in_flight} trials so far failed. The last one: {round_selectors.last_failure(search)}"
        searches.search_fail(search, message=message)
        return
    if not spent:
        return
    chosen = finalists.finalists_choose(
        search,
        count=protocol.finalists,
        seeds=[derived_seed(search.seed, 0, index) for index in range(protocol.finalist_seeds)],
    )
    reason = f"all {asked} architectures of the space were tried" if exhausted else f"the budget of {asked} trials is spent"
    searches.search_begin_finishing(search, message=f"Testing {len(chosen)} finalists: {reason}.")


@app.task(name=queue.RUN_TRIAL, bind=True)
def run_trial(self: Task, trial_id: int) -> None:
    trial = runs.run_claim(Trial, run_id=trial_id, worker=_worker_name(self))
    if trial is None:
        return
    with _ownership(trial):
        protocol, data = _protocol_and_data(trial)
        trained = _train_trial(trial, data, protocol)
        trials.trial_complete(
            trial,
            scores=trained.scores.values,
            parameters=trained.parameters,
            epochs=trained.epochs,
            best_epoch=trained.best_epoch,
            train_seconds=trained.seconds,
        )


def _train_trial(trial: Trial, data: PreparedData, protocol: Protocol) -> Trained:
    """Train from the trial's checkpoint, or from the start where it has none that this version can read."""
    train = partial(
        train_architecture,
        Architecture.of(trial.architecture),
        data.training,
        protocol,
        seed=trial.seed,
        device=device_name(),
        on_epoch=_TrialReporter(trial),
    )
    checkpoint = _read_checkpoint(trial)
    if checkpoint is None:
        return train()
    try:
        return train(checkpoint=checkpoint)
    except (OutOfMemory, Diverged):
        raise
    except TrainError as error:
        log.warning("%s starts again, because its checkpoint cannot be used: %s", trial, error)
        return train()


class _TrialReporter:
    """Writes each epoch, and stops the training when the search or this worker wants it to."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._saved_at = time.monotonic()

    def __call__(self, report: EpochReport) -> None:
        directive = trials.trial_report_epoch(
            self._trial, epoch=report.epoch, loss=report.loss, scores=report.scores.values, seconds=report.seconds
        )
        if directive is Directive.ABANDON:
            raise _Abandoned
        leaving = directive is Directive.PAUSE or draining.is_set()
        if leaving or time.monotonic() - self._saved_at > CHECKPOINT_EVERY_SECONDS:
            trials.trial_save_checkpoint(self._trial, checkpoint=report.snapshot())
            self._saved_at = time.monotonic()
        if leaving:
            raise _GivenBack


@app.task(name=queue.RUN_BASELINE, bind=True)
def run_baseline(self: Task, baseline_id: int) -> None:
    baseline = runs.run_claim(Baseline, run_id=baseline_id, worker=_worker_name(self))
    if baseline is None:
        return
    with _ownership(baseline):
        protocol, data = _protocol_and_data(baseline)
        fitted = run_reference(baseline.name, data, protocol)
        baselines.baseline_complete(
            baseline, valid_scores=fitted.valid.values, test_scores=fitted.test.values, train_seconds=fitted.seconds
        )


@app.task(name=queue.RUN_FINALIST, bind=True)
def run_finalist(self: Task, run_id: int) -> None:
    run = runs.run_claim(FinalistRun, run_id=run_id, worker=_worker_name(self))
    if run is None:
        return

    def on_epoch(report: EpochReport) -> None:
        if not runs.run_renew(run):
            raise _Abandoned
        paused = not Search.objects.filter(pk=run.search_id, state=SearchState.FINISHING).exists()
        if paused or draining.is_set():
            raise _GivenBack

    with _ownership(run):
        protocol, data = _protocol_and_data(run)
        trained = train_architecture(
            Architecture.of(run.trial.architecture), data.training, protocol, seed=run.seed, device=device_name(), on_epoch=on_epoch
        )
        test = score_on_test(trained.scorer, data, protocol)
        finalists.finalist_complete(
            run,
            valid_scores=trained.scores.values,
            test_scores=test.values,
            epochs=trained.epochs,
            train_seconds=trained.seconds,
        )


@contextmanager
def _ownership(run: runs.Run) -> Iterator[None]:
    """Hold the lease during the block and turn each way of ending early into the run's state."""

    def renew() -> bool:
        try:
            return runs.run_renew(run)
        finally:
            connection.close()  # the heartbeat thread's own

    def on_error(error: Exception) -> None:
        log.warning("Could not renew the lease of %s: %s", run, error)

    try:
        with Heartbeat(renew, interval=settings.RECSMITH_LEASE_SECONDS / 3, on_error=on_error):
            yield
    except _Abandoned:
        log.info("%s is no longer ours; stopped", run)
    except _GivenBack:
        runs.run_release(run)
    except (OperationalError, InterfaceError) as error:
        # A database that restarts says nothing about the run: its lease ends, and the reaper hands it out again.
        log.warning("Lost the database while running %s: %s", run, error)
    except OutOfMemory as error:
        runs.run_fail(run, failure=Failure.OUT_OF_MEMORY, message=str(error))
    except Diverged as error:
        runs.run_fail(run, failure=Failure.DIVERGED, message=str(error))
    except GnnError as error:
        runs.run_fail(run, failure=Failure.ERROR, message=str(error))
    except Exception as error:
        runs.run_fail(run, failure=Failure.ERROR, message=f"{type(error).__name__}: {error}")
        raise


def _worker_name(task: Task) -> str:
    return f"{task.request.hostname}/{os.getpid()}"


def _protocol_and_data(run: runs.Run) -> tuple[Protocol, PreparedData]:
    search = run.search
    protocol = Protocol.from_json(search.protocol)
    data = _prepared.get(search.dataset.data_blob, protocol, lambda: dataset_interactions(search.dataset))
    return protocol, data


def _read_checkpoint(trial: Trial) -> bytes | None:
    if not trial.checkpoint_blob:
        return None
    with default_storage.open(trial.checkpoint_blob) as file:
        return bytes(file.read())
