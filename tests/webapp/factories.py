"""Rows for tests of pages: small, realistic, with values that are easy to assert."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Mapping
from typing import Any

import numpy as np
from django.db.models.functions import Now

from gnn.catalogue import preset_space
from gnn.plan import SearchPlan
from gnn.protocol import Protocol
from gnn.space import SearchSpace
from webapp.enums import DatasetState, RunState, SearchState
from webapp.models import Baseline, Dataset, FinalistRun, Search, Space, Trial, TrialEpoch, Worker
from webapp.services.spaces import space_create

_numbers = itertools.count(1)


def make_dataset(**fields: Any) -> Dataset:
    return Dataset.objects.create(**{"name": "Toy", "state": DatasetState.READY, "filename": "toy.csv", "source_blob": "x"} | fields)


def make_space(space: SearchSpace | None = None, *, name: str = "A space") -> Space:
    return space_create(owner=None, name=name, space=space or preset_space("demo"))


def make_search(*, protocol: Protocol | None = None, **fields: Any) -> Search:
    given = {
        "name": "A search",
        "space": preset_space("demo").to_json(),
        "protocol": (protocol or Protocol()).to_json(),
        "controller": "ppo",
        "planned_trials": 10,
        "workers": 2,
        "seed": 1,
        "plan": SearchPlan(random_arm=False).to_json(),
        "start_token": uuid.uuid4(),
        "state": SearchState.RUNNING,
    }
    return Search.objects.create(**given | {"dataset": fields.pop("dataset", None) or make_dataset()} | fields)


def scores_of(ndcg: float) -> dict[str, float]:
    """All metrics, each told apart from the others: NDCG@20 is ``ndcg``."""
    return {
        f"{name}@{k}": round(ndcg * share * (1 if k == 20 else 0.5), 6)
        for k in (10, 20)
        for name, share in (("ndcg", 1.0), ("recall", 0.8), ("precision", 0.4), ("f1", 0.6))
    }


def make_trials(search: Search, rewards: list[float | None], *, start: int = 1) -> list[Trial]:
    """One ended trial for each reward, told in that order; None makes one that diverged, with a penalty of 0.01."""
    generator = np.random.default_rng(start)
    space = preset_space("demo")
    trials = []
    for number, reward in enumerate(rewards, start=start):
        failed = reward is None
        fields: dict[str, Any] = (
            {"state": RunState.FAILED, "failure": "diverged", "message": "The loss became nan.", "reward": 0.01}
            if failed
            else {
                "state": RunState.COMPLETED,
                "scores": scores_of(reward),
                "reward": reward,
                "parameters": 1000 + number,
                "train_seconds": 2.0,
            }
        )
        architecture = space.sample(generator)
        trials.append(Trial(search=search, number=number, architecture=architecture.to_json(), key=f"{next(_numbers):016d}", seed=number))
        for name, value in ({"told_order": number, "epochs": 9, "best_epoch": 4} | fields).items():
            setattr(trials[-1], name, value)
    return Trial.objects.bulk_create(trials)


def make_trial(search: Search, number: int, **fields: Any) -> Trial:
    architecture = preset_space("demo").sample(np.random.default_rng(number)).to_json()
    given = {"architecture": architecture, "key": f"{next(_numbers):016d}", "seed": number, "state": RunState.RUNNING}
    return Trial.objects.create(search=search, number=number, **given | fields)


def make_curve(trial: Trial, ndcgs: list[float]) -> None:
    TrialEpoch.objects.bulk_create(
        [
            TrialEpoch(trial=trial, epoch=epoch, loss=5 - 0.1 * epoch, scores=scores_of(ndcg), seconds=0.5)
            for epoch, ndcg in enumerate(ndcgs, start=1)
        ]
    )


def make_baseline(search: Search, name: str, valid: float | None, *, test: float | None = None, **fields: Any) -> Baseline:
    scored: Mapping[str, Any] = (
        {"state": RunState.QUEUED}
        if valid is None
        else {"state": RunState.COMPLETED, "valid_scores": scores_of(valid), "test_scores": scores_of(valid if test is None else test)}
    )
    return Baseline.objects.create(search=search, name=name, **{**scored, **fields})


def make_finalist(trial: Trial, tests: list[float]) -> None:
    for seed, ndcg in enumerate(tests):
        FinalistRun.objects.create(
            search=trial.search, trial=trial, seed=seed, state=RunState.COMPLETED, valid_scores=trial.scores, test_scores=scores_of(ndcg)
        )


def make_worker() -> Worker:
    return Worker.objects.create(name="trials@host", queues=["trials"], slots=1, threads=1, device="cpu", started_at=Now(), seen_at=Now())
