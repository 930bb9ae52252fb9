"""Versions of models built by worker processes, from the message on the queue to the bundle in the database."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from gnn.protocol import Protocol
from gnn.splits import split
from tests.toy_dataset import toy_dataset
from tests.waiting import wait_for
from tests.webapp.factories import make_finalist, make_search, make_trials
from webapp.enums import ModelState, SearchState, TrainedOn
from webapp.selectors.datasets import dataset_interactions
from webapp.selectors.models import bundle_opened, version_of
from webapp.services.models import model_register

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_worker_processes_build_what_was_registered(workers: Path, tmp_path: Path) -> None:
    protocol = Protocol(max_epochs=3, patience=3)
    search = make_search(dataset=toy_dataset(), protocol=protocol, state=SearchState.FINISHED)
    (trial,) = make_trials(search, [0.3])
    make_finalist(trial, [0.28])
    for trained_on in TrainedOn:
        model_register(owner=None, name="films", trial_id=trial.pk, trained_on=trained_on)
    interactions = dataset_interactions(search.dataset)
    parts = {TrainedOn.TRAIN: split(interactions, protocol).train, TrainedOn.ALL: np.arange(len(interactions))}
    for number, trained_on in enumerate(TrainedOn, start=1):
        wait_for(lambda number=number: version_of("films", number).state != ModelState.BUILDING, what=f"version {number} to be built")
        row = version_of("films", number)
        assert (row.state, row.message) == (ModelState.READY, "")
        build = row.version.build
        assert build.worker and str(os.getpid()) not in build.worker.split("/"), "another process built it"
        bundle = bundle_opened(row.version, tmp_path)
        pairs = set(zip(interactions.user[parts[trained_on]].tolist(), interactions.item[parts[trained_on]].tolist(), strict=True))
        assert {(user, item) for user in range(len(bundle.model.users)) for item in bundle.model.seen(user).tolist()} == pairs
        assert bundle.document.data.trained_on == trained_on
        assert len(bundle.model.recommend("u1", 5)) == 5
