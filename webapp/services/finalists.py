from __future__ import annotations

from collections.abc import Mapping, Sequence

from gnn.slices import Slices
from webapp.enums import ArmName, RunState
from webapp.models import FinalistRun, Search, Trial
from webapp.queue import RUN_FINALIST, enqueue_on_commit
from webapp.selectors.rounds import ranking
from webapp.services.runs import run_complete


def finalists_choose(search: Search, *, count: int, seeds: Sequence[int]) -> list[Trial]:
    """Pick the best architectures, and the best one of random search beside them, by reward; queue one run for each seed."""
    scored = Trial.objects.filter(search=search, state__in=(RunState.COMPLETED, RunState.WAITING), reward__isnull=False)
    own: dict[str, Trial] = {}
    # A person and the controller may have chosen the same; no more than two trials of these arms have one key.
    for trial in scored.exclude(arm=ArmName.RANDOM).order_by(*ranking(search))[: 2 * count]:
        if len(own) < count:
            own.setdefault(trial.key, trial)
    trials = [*own.values(), *scored.filter(arm=ArmName.RANDOM).order_by(*ranking(search))[:1]]
    for trial in trials:
        for seed in seeds:
            run = FinalistRun.objects.create(search=search, trial=trial, seed=seed)
            enqueue_on_commit(RUN_FINALIST, run.pk)
    return trials


def finalist_complete(
    run: FinalistRun,
    *,
    valid_scores: Mapping[str, float],
    test_scores: Mapping[str, float],
    test_users: bytes,
    epochs: int,
    best_epoch: int,
    train_seconds: float,
    test_slices: Slices | None = None,
) -> bool:
    """End one seed of a finalist with its scores; False when it is no longer this attempt's."""
    return run_complete(
        run,
        valid_scores=dict(valid_scores),
        test_scores=dict(test_scores),
        test_users=test_users,
        epochs=epochs,
        best_epoch=best_epoch,
        train_seconds=train_seconds,
        test_slices=test_slices.to_json() if test_slices else {},
    )
