"""Versions of models built in this process on the real database: what a build stores, and what becomes of one that cannot end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.db.models.functions import Now

from gnn.bundle import Bundle
from gnn.errors import Diverged, GnnError
from gnn.interactions import Interactions
from gnn.model import build_model
from gnn.protocol import Protocol
from gnn.space import Architecture
from gnn.splits import split
from gnn.train import TrainConfig, fit
from searchworker import builds, tasks
from searchworker.celery import draining
from searchworker.prepared import prepare
from tests.searchworker.searching import run_everything, start
from webapp.enums import Failure, ModelState, RunState, TrainedOn
from webapp.models import ModelVersion, Search, Trial
from webapp.queue import app
from webapp.selectors.datasets import dataset_interactions
from webapp.selectors.models import bundle_opened, version_of
from webapp.services import reaper
from webapp.services.dataset_removal import dataset_delete
from webapp.services.models import model_register
from webapp.services.runs import MAX_LOSSES

pytestmark = pytest.mark.django_db


@pytest.fixture
def search() -> Search:
    return run_everything(start(planned_trials=1, protocol=Protocol(max_epochs=3, patience=3, finalists=1, finalist_seeds=2)))


def registered(search: Search, trained_on: TrainedOn) -> ModelVersion:
    trial: Trial = search.trials.get()
    return model_register(owner=None, name="films", trial_id=trial.pk, trained_on=trained_on)


def opened(version: ModelVersion, cache: Path) -> Bundle:
    version.refresh_from_db()
    return bundle_opened(version, cache)


def pairs_of(interactions: Interactions, rows: np.ndarray) -> list[tuple[int, int]]:
    return sorted(set(zip(interactions.user[rows].tolist(), interactions.item[rows].tolist(), strict=True)))


def seen_pairs(bundle: Bundle) -> list[tuple[int, int]]:
    return [(user, item) for user in range(len(bundle.model.users)) for item in bundle.model.seen(user).tolist()]


def test_a_model_as_searched_scores_as_the_finalist_did(search: Search, tmp_path: Path) -> None:
    version = registered(search, TrainedOn.TRAIN)
    tasks.build_model(version.build.pk)
    bundle = opened(version, tmp_path)
    assert version_of("films", 1).state == ModelState.READY
    # Trained here once more, without the task.
    interactions, protocol = dataset_interactions(search.dataset), Protocol.from_json(search.protocol)
    data = prepare(interactions, protocol)
    finalist = max(search.finalist_runs.order_by("seed"), key=lambda run: run.valid_scores["ndcg@20"])
    architecture = Architecture.of(search.trials.get().architecture)
    model = build_model(architecture, data.training.graph, finalist.seed)
    result = fit(model, data.training.graph, data.training.valid, TrainConfig(3, 3, seed=finalist.seed))
    assert np.abs(bundle.model.users @ bundle.model.items.T - (result.scorer.users @ result.scorer.items.T).numpy()).max() < 1e-5
    assert result.scores.values["ndcg@20"] == pytest.approx(finalist.valid_scores["ndcg@20"], abs=1e-9)
    assert (bundle.document.training.seed, bundle.document.training.epochs) == (finalist.seed, finalist.best_epoch)
    assert seen_pairs(bundle) == pairs_of(interactions, split(interactions, protocol).train)
    assert bundle.model.user_ids == interactions.user_ids.to_list()
    scores = [run.test_scores["ndcg@20"] for run in search.finalist_runs.all()]
    metrics = bundle.document.metrics
    assert metrics.scores.test["ndcg@20"].mean == pytest.approx(np.mean(scores))
    assert metrics.interval is not None
    assert metrics.interval.low <= metrics.scores.test["ndcg@20"].mean <= metrics.interval.high
    assert metrics.verdict == search.message
    assert {"Popularity", "EASE"} <= set(metrics.baselines)
    assert bundle.document.data.sha256 == search.dataset.data_blob


def test_a_model_on_all_data_has_seen_every_pair(search: Search, tmp_path: Path) -> None:
    version = registered(search, TrainedOn.ALL)
    chosen = [run.best_epoch for run in search.finalist_runs.all()]
    assert version.build.planned_epochs == round(sum(chosen) / len(chosen))
    tasks.build_model(version.build.pk)
    bundle = opened(version, tmp_path)
    interactions = dataset_interactions(search.dataset)
    assert seen_pairs(bundle) == pairs_of(interactions, np.arange(len(interactions)))
    assert bundle.document.data.trained_on == "all"
    assert bundle.document.training.epochs == version.build.planned_epochs


def test_building_again_gives_the_same_bytes(search: Search) -> None:
    first = registered(search, TrainedOn.ALL)
    assert registered(search, TrainedOn.ALL) == first, "a second press of the button while the first is built"
    tasks.build_model(first.build.pk)
    second = registered(search, TrainedOn.ALL)
    assert (first.number, second.number) == (1, 2)
    tasks.build_model(second.build.pk)
    tasks.build_model(second.build.pk)  # a message that came twice
    assert len({version.digest for version in ModelVersion.objects.all()}) == 1
    assert len({version.bundle_blob for version in ModelVersion.objects.all()}) == 1


@pytest.mark.parametrize(
    ("error", "failure"), [(Diverged("The loss became nan."), Failure.DIVERGED), (GnnError("Something."), Failure.ERROR)]
)
def test_a_build_that_fails_says_why(search: Search, monkeypatch: pytest.MonkeyPatch, error: Exception, failure: Failure) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(builds, "refit", fail)
    version = registered(search, TrainedOn.ALL)
    tasks.build_model(version.build.pk)
    row = version_of("films", 1)
    assert (row.state, row.message) == (ModelState.FAILED, str(error))
    version.build.refresh_from_db()
    assert version.build.failure == failure
    assert registered(search, TrainedOn.ALL).number == 2, "it may be tried again"


@pytest.mark.parametrize("trained_on", list(TrainedOn))
def test_a_worker_that_shuts_down_gives_a_build_back(search: Search, trained_on: TrainedOn, tmp_path: Path) -> None:
    version = registered(search, trained_on)
    draining.set()
    try:
        tasks.build_model(version.build.pk)
    finally:
        draining.clear()
    version.build.refresh_from_db()
    assert version.build.state == RunState.QUEUED
    assert bool(version.build.checkpoint_blob) == (trained_on == TrainedOn.TRAIN)
    left = version.build.checkpoint_blob
    tasks.build_model(version.build.pk)
    assert opened(version, tmp_path).document.training.epochs >= 1
    assert not left or not default_storage.exists(left)


def test_a_model_outlives_its_dataset_and_an_unfinished_build_leaves_nothing(search: Search, tmp_path: Path) -> None:
    built = registered(search, TrainedOn.ALL)
    tasks.build_model(built.build.pk)
    unfinished = registered(search, TrainedOn.TRAIN)
    draining.set()
    try:
        tasks.build_model(unfinished.build.pk)
    finally:
        draining.clear()
    unfinished.build.refresh_from_db()
    checkpoint = unfinished.build.checkpoint_blob
    assert default_storage.exists(checkpoint)
    dataset_delete(dataset_id=search.dataset_id, with_searches=True)
    assert not default_storage.exists(checkpoint)
    assert opened(built, tmp_path).document.data.users == 60
    assert [version_of("films", number).state for number in (1, 2)] == [ModelState.READY, ModelState.FAILED]


def test_a_build_whose_worker_dies_is_done_by_another(search: Search) -> None:
    version = registered(search, TrainedOn.ALL)
    rows = type(version.build).objects.filter(pk=version.build.pk)
    rows.update(state=RunState.RUNNING, attempt=1, lease_expires_at=Now())
    reaper.reap()
    version.build.refresh_from_db()
    assert (version.build.state, version.build.losses) == (RunState.QUEUED, 1)
    tasks.build_model(version.build.pk)
    assert version_of("films", 1).state == ModelState.READY


def test_a_build_that_kills_its_workers_is_given_up(search: Search) -> None:
    version = registered(search, TrainedOn.ALL)
    rows = type(version.build).objects.filter(pk=version.build.pk)
    rows.update(state=RunState.RUNNING, attempt=1, lease_expires_at=Now(), losses=MAX_LOSSES - 1)
    reaper.reap()
    row = version_of("films", 1)
    assert row.state == ModelState.FAILED
    assert row.message.startswith(f"The worker died {MAX_LOSSES} times")


def test_a_build_whose_message_was_lost_is_sent_again(search: Search, django_capture_on_commit_callbacks: Any) -> None:
    version = registered(search, TrainedOn.ALL)
    rows = type(version.build).objects.filter(pk=version.build.pk)
    before = "2020-01-01T00:00:00Z"
    rows.update(enqueued_at=before)
    with app.connection_for_write() as broker:
        broker.default_channel.client.flushdb()  # nothing is sent again while messages wait, as those of other tests may
    reaper.reap()
    assert rows.get().enqueued_at.year > 2020
