"""Celery tasks: ids in, claim, call the library and a service, done. Running any of them twice is harmless."""

from __future__ import annotations

import os
from functools import partial

from celery import Task
from django.conf import settings
from django.db import InterfaceError, OperationalError

from gnn.metrics import TestScores
from gnn.protocol import Protocol
from gnn.space import Architecture
from gnn.train import EpochReport
from searchworker.advance import advance
from searchworker.builds import build_version
from searchworker.celery import app, device_name, draining
from searchworker.measuring import measure_importance
from searchworker.ownership import Abandoned, ownership
from searchworker.prepared import PreparedData
from searchworker.training import Checkpoints, prepared_data, train_on, train_trial
from searchworker.trial import run_reference, score_on_test, sliced_on_test, train_architecture
from webapp import queue
from webapp.enums import SearchState
from webapp.models import Baseline, FinalistRun, ModelBuild, Search, Trial
from webapp.services import baselines, batches, datasets, finalists, previews, reaper, runs, samples, searches
from webapp.services.locks import BATCH, INGEST, advisory_lock


@app.task(name=queue.INGEST_DATASET)
def ingest_dataset(dataset_id: int) -> None:
    with advisory_lock(INGEST, dataset_id) as alone:
        if alone:  # a resent message must not read a large file twice at once
            samples.sample_fetch(dataset_id=dataset_id, cache=settings.BASE_DIR / ".cache")
            datasets.dataset_ingest(dataset_id=dataset_id)


@app.task(name=queue.PREVIEW_PREPARATION)
def preview_preparation(dataset_id: int) -> None:
    previews.preview_compute(dataset_id=dataset_id)


@app.task(name=queue.RANK_ALL)
def rank_all(batch_id: int) -> None:
    with advisory_lock(BATCH, batch_id) as alone:
        if alone:
            batches.batch_compute(batch_id=batch_id)


@app.task(name=queue.MEASURE_IMPORTANCE)
def measure_search_importance(search_id: int) -> None:
    measure_importance(search_id)


@app.task(name=queue.REAP)
def reap() -> None:
    reaper.reap()


@app.task(name=queue.ADVANCE_SEARCH)
def advance_search(search_id: int) -> None:
    try:
        advance(search_id)
    except (InterfaceError, OperationalError):
        raise  # the database was away; the reaper wakes the search again
    except Exception as error:
        searches.search_break_off(search_id=search_id, message=f"The search cannot go on. {type(error).__name__}: {error}")
        raise


@app.task(name=queue.RUN_TRIAL, bind=True)
def run_trial(self: Task, trial_id: int) -> None:
    trial = runs.run_claim(Trial, run_id=trial_id, worker=_worker_name(self))
    if trial is None:
        return
    with ownership(trial):
        train_trial(trial)


@app.task(name=queue.RUN_BASELINE, bind=True)
def run_baseline(self: Task, baseline_id: int) -> None:
    baseline = runs.run_claim(Baseline, run_id=baseline_id, worker=_worker_name(self))
    if baseline is None:
        return
    with ownership(baseline):
        protocol, data = _protocol_and_data(baseline)
        fitted = run_reference(baseline.name, data, protocol)
        baselines.baseline_complete(
            baseline,
            valid_scores=fitted.valid.values,
            test_scores=fitted.test.values,
            test_users=_per_user(fitted.test, protocol.objective),
            valid_slices=fitted.valid_slices,
            test_slices=fitted.test_slices,
            train_seconds=fitted.seconds,
        )


@app.task(name=queue.RUN_FINALIST, bind=True)
def run_finalist(self: Task, run_id: int) -> None:
    run = runs.run_claim(FinalistRun, run_id=run_id, worker=_worker_name(self))
    if run is None:
        return
    checkpoints = Checkpoints(run)

    def on_epoch(report: EpochReport) -> None:
        if not runs.run_renew(run):
            raise Abandoned
        paused = not Search.objects.filter(pk=run.search_id, state=SearchState.FINISHING).exists()
        checkpoints.keep(report, leaving=paused or draining.is_set())

    with ownership(run):
        protocol, data = _protocol_and_data(run)
        architecture = Architecture.of(run.trial.architecture)
        train = partial(train_architecture, architecture, data.training, protocol, seed=run.seed, device=device_name(), on_epoch=on_epoch)
        trained = train_on(run, train)
        test = score_on_test(trained.scorer, data, protocol)
        finalists.finalist_complete(
            run,
            valid_scores=trained.scores.values,
            test_scores=test.values,
            test_users=_per_user(test, protocol.objective),
            test_slices=sliced_on_test(trained.scorer, test, data, protocol),
            epochs=trained.epochs,
            best_epoch=trained.best_epoch,
            train_seconds=trained.seconds,
        )


@app.task(name=queue.BUILD_MODEL, bind=True)
def build_model(self: Task, build_id: int) -> None:
    build = runs.run_claim(ModelBuild, run_id=build_id, worker=_worker_name(self))
    if build is None:
        return
    with ownership(build):
        build_version(build)


def _per_user(scores: TestScores, metric: str) -> bytes:
    return scores.per_user[metric].astype("<f4").tobytes()


def _worker_name(task: Task) -> str:
    return f"{task.request.hostname}/{os.getpid()}"


def _protocol_and_data(run: runs.Run) -> tuple[Protocol, PreparedData]:
    protocol = Protocol.from_json(run.search.protocol)
    return protocol, prepared_data(run, protocol)
