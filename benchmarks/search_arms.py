"""Searches for a benchmark: a dataset of its own, and the workers' tasks done in this process, one after the other."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from django.core.files.storage import default_storage

from benchmarks.graphs import ML_100K as ML_100K_SIZE
from benchmarks.graphs import synthetic
from gnn.catalogue import preset_space
from gnn.interactions import Interactions
from gnn.loading import load
from gnn.plan import SearchPlan
from gnn.profile import profile
from gnn.protocol import Protocol
from gnn.sources.rejects import Rejects
from searchworker import tasks
from webapp.blobs import bytes_file
from webapp.enums import ArmName, DatasetState, RunState, SearchState
from webapp.models import Dataset, Search
from webapp.services.searches import search_start


def dataset_of(folder: Path | None) -> Dataset:
    """The interactions of a folder of parts, or synthetic ones, as a dataset that is ready."""
    interactions = _interactions(folder)
    with tempfile.TemporaryFile() as file:
        interactions.to_parquet(file)
        file.seek(0)
        blob = default_storage.save("data", bytes_file(file.read()))
    counts = profile(interactions, Rejects(rows_read=len(interactions)))
    return Dataset.objects.create(name="benchmark", state=DatasetState.READY, data_blob=blob, profile=counts)


def _interactions(folder: Path | None) -> Interactions:
    if folder is None:
        n_users, n_items, n_train = ML_100K_SIZE
        return synthetic(n_users, n_items, n_train)
    loaded = load(folder, Protocol())
    part = np.zeros(len(loaded.interactions), dtype=np.int8)
    part[loaded.split.valid], part[loaded.split.test] = 1, 2
    return replace(loaded.interactions, part=part)


def searched(dataset: Dataset, space: str, protocol: Protocol, controller: str, trials: int, seed: int, plan: SearchPlan) -> dict[str, Any]:
    """Search until nothing more is proposed; the best validation score, trained epochs, trials and seconds of training."""
    search = search_start(
        owner=None,
        name=f"{controller}, seed {seed}",
        dataset=dataset,
        space=preset_space(space),
        protocol=protocol,
        controller=controller,
        planned_trials=trials,
        workers=1,
        seed=seed,
        start_token=uuid4(),
        plan=plan,
    )
    _work(search)
    arm = search.arms.get(name=ArmName.CONTROLLER)
    return {"best": arm.best_reward, "epochs": arm.epochs, "trials": arm.proposed, "seconds": round(arm.seconds, 1)}


def _work(search: Search) -> None:
    """Do what workers do, one trial after the other, until the finalists are chosen."""
    while search.state == SearchState.RUNNING:
        tasks.advance_search(search.pk)
        for trial in search.trials.filter(state=RunState.QUEUED).order_by("number"):
            tasks.run_trial(trial.pk)
        search.refresh_from_db()
