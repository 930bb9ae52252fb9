"""A database as a busy team leaves it: many searches, one of very many trials. Imports tables: use it where Django is set up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import numpy as np
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from benchmarks.graphs import synthetic
from gnn.baselines import BASELINES
from gnn.catalogue import preset_space
from gnn.plan import SearchPlan
from gnn.profile import profile
from gnn.protocol import METRIC_NAMES, Protocol
from gnn.sources.rejects import Rejects
from gnn.space import SearchSpace
from webapp.blobs import bytes_file
from webapp.enums import ArmName, DatasetState, RunState, SearchState
from webapp.models import Arm, Baseline, ControllerReport, Dataset, FinalistRun, Search, Space, Trial, TrialRung, Worker
from webapp.services.spaces import space_create

N_USERS, N_ITEMS, N_INTERACTIONS = 300, 200, 6_000
FEW_TRIALS = 12
REPORTS = 100
SEEDS = 3


@dataclass(frozen=True)
class Rows:
    """What pages are asked for."""

    dataset: Dataset
    space: Space
    large: Search
    """Runs, and has very many trials."""
    small: Search
    """Runs, and has few."""


def fill(*, datasets: int, searches: int, trials: int, epochs: int) -> Rows:
    """Write the rows; all searches but the newest two are finished."""
    generator = np.random.default_rng(0)
    held = [_dataset(number) for number in range(datasets)]
    space = preset_space("full")
    saved = space_create(owner=None, name="Everything", space=space)
    for number in range(searches - 2):
        _search(held[number % datasets], space, f"Search {number}", FEW_TRIALS, 5, generator)
    small = _search(held[0], space, "A small one", FEW_TRIALS, 5, generator, running=True)
    large = _search(held[0], space, "The large one", trials, epochs, generator, running=True)
    now = timezone.now()
    Worker.objects.create(name="trials@host", queues=["trials"], slots=2, threads=1, device="CPU", host="host", started_at=now, seen_at=now)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return Rows(held[0], saved, large, small)


def _dataset(number: int) -> Dataset:
    interactions = synthetic(N_USERS, N_ITEMS, N_INTERACTIONS, seed=number)
    counts = profile(interactions, Rejects(rows_read=len(interactions)))
    blob = default_storage.save("data", bytes_file(f"dataset {number}".encode()))
    return Dataset.objects.create(
        name=f"Dataset {number}", state=DatasetState.READY, filename=f"{number}.csv", data_blob=blob, source_blob=blob, profile=counts
    )


def _search(
    dataset: Dataset, space: SearchSpace, name: str, trials: int, epochs: int, generator: np.random.Generator, *, running: bool = False
) -> Search:
    search = Search.objects.create(
        name=name,
        dataset=dataset,
        space=space.to_json(),
        protocol=Protocol().to_json(),
        controller="ppo",
        planned_trials=2 * trials,
        workers=2,
        seed=0,
        plan=SearchPlan(random_arm=False).to_json(),
        start_token=uuid4(),
        state=SearchState.RUNNING if running else SearchState.FINISHED,
        finished_at=None if running else timezone.now(),
    )
    rows = Trial.objects.bulk_create(
        [_trial(search, space, number, epochs, generator) for number in range(1, trials + 1)], batch_size=2_000
    )
    best = max(row.reward or 0.0 for row in rows)
    Arm.objects.create(search=search, name=ArmName.CONTROLLER, proposed=trials, told=trials, epochs=trials * epochs, best_reward=best)
    TrialRung.objects.bulk_create(
        [
            TrialRung(
                trial=row, search=search, arm=row.arm, rung=0, epochs=epochs, seconds=9.0, reward=row.reward or 0.0, worker=row.worker
            )
            for row in rows
        ],
        batch_size=5_000,
    )
    _epochs(search, epochs)
    Baseline.objects.bulk_create(
        [
            Baseline(
                search=search,
                name=baseline,
                state=RunState.COMPLETED,
                valid_scores=_scores(0.2),
                test_scores=_scores(0.19),
                train_seconds=1.0,
            )
            for baseline in BASELINES
        ]
    )
    told = np.unique(np.linspace(1, trials, min(trials, REPORTS)).astype(int))
    ControllerReport.objects.bulk_create([_report(search, space, int(count), generator) for count in told])
    if not running:
        finalists = sorted(rows, key=lambda row: -(row.reward or 0.0))[:3]
        FinalistRun.objects.bulk_create([_finalist(search, row, seed) for row in finalists for seed in range(SEEDS)])
    return search


def _trial(search: Search, space: SearchSpace, number: int, epochs: int, generator: np.random.Generator) -> Trial:
    reward = float(0.2 + 0.1 * generator.random())
    now = timezone.now()
    return Trial(
        search=search,
        number=number,
        architecture=space.sample(generator).to_json(),
        key=f"{search.pk:08x}{number:08x}",
        seed=number,
        state=RunState.COMPLETED,
        parameters=int(generator.integers(10_000, 1_000_000)),
        epochs=epochs,
        best_epoch=epochs,
        scores=_scores(reward),
        reward=reward,
        told_order=number,
        worker="trials@host",
        started_at=now,
        finished_at=now,
        train_seconds=float(generator.random() * 10),
    )


def _scores(value: float) -> dict[str, float]:
    return {f"{name}@{k}": round(value * k / 20, 6) for name in METRIC_NAMES for k in (10, 20)}


def _epochs(search: Search, epochs: int) -> None:
    """A learning curve for each trial of the search, written by the server itself: there may be hundreds of thousands of points."""
    scores = ", ".join(f"'{name}', t.reward * e / {epochs}.0" for name in _scores(1))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO webapp_trialepoch (trial_id, epoch, loss, best, scores, seconds) "
            f"SELECT t.id, e, 1.0 / e, t.reward * e / {epochs}.0, jsonb_build_object({scores}), 0.3 "
            f"FROM webapp_trial t, generate_series(1, %s) e WHERE t.search_id = %s",
            [epochs, search.pk],
        )


def _report(search: Search, space: SearchSpace, told: int, generator: np.random.Generator) -> ControllerReport:
    marginals: dict[str, Any] = {}
    for decision in space.decisions:
        weights = generator.random(len(decision.choices)) + 0.1
        marginals[decision.name] = [round(float(share), 4) for share in weights / weights.sum()]
    return ControllerReport(search=search, told=told, diagnostics={"entropy": 1.0, "repeats": 0.0}, marginals=marginals)


def _finalist(search: Search, trial: Trial, seed: int) -> FinalistRun:
    reward = trial.reward or 0.0
    return FinalistRun(
        search=search,
        trial=trial,
        seed=seed,
        state=RunState.COMPLETED,
        epochs=trial.epochs,
        best_epoch=trial.epochs,
        valid_scores=_scores(reward + seed * 1e-3),
        test_scores=_scores(reward - 0.01 + seed * 1e-3),
        train_seconds=9.0,
    )
