"""Searches of trials that train nothing, and the worker processes that run them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from django.db import transaction

from gnn.catalogue import preset_space
from gnn.plan import SearchPlan
from gnn.protocol import Protocol
from webapp.enums import DatasetState, RunState, SearchState
from webapp.models import Dataset
from webapp.processes import commands_running, procfile_commands, stack_environment
from webapp.queue import CONTROL_QUEUE, TRIALS_QUEUE
from webapp.selectors.workers import workers_alive
from webapp.services.errors import Conflict
from webapp.services.searches import search_start, search_stop
from webapp.services.workers import worker_gone

SECONDS_VARIABLE = "RECSMITH_NOOP_SECONDS"
"""How long each trial sleeps; ``benchmarks.noop_worker`` reads it."""


@contextlib.contextmanager
def workers(home: Path, *, slots: int, seconds: float) -> Iterator[None]:
    """The control worker and a trials worker of so many processes, whose trials last ``seconds``."""

    settings = {"RECSMITH_WORKERS": slots, "RECSMITH_THREADS": 1, SECONDS_VARIABLE: seconds}
    procfile = procfile_commands()
    commands = [procfile["control"], procfile["trials"].replace("searchworker.celery", "benchmarks.noop_worker")]
    log = home / "workers.log"
    with commands_running(commands, stack_environment(home, settings), log) as processes:
        deadline = time.monotonic() + 120
        while not (workers_alive(queue=CONTROL_QUEUE).exists() and workers_alive(queue=TRIALS_QUEUE).exists()):
            if time.monotonic() > deadline or any(process.poll() is not None for process in processes):
                raise SystemExit(f"The workers do not start.\n{log.read_text()}")
            time.sleep(0.1)
        yield
    for queue in (CONTROL_QUEUE, TRIALS_QUEUE):
        for name in workers_alive(queue=queue).values_list("name", flat=True):
            worker_gone(name=name)


def ends(space: str, controller: str, trials: int, *, workers: int) -> list[float]:
    """Search until every trial has ended; when each did, in seconds, by the database's clock."""

    with transaction.atomic():
        search = search_start(
            owner=None,
            name=f"{controller}, {trials} trials",
            dataset=_dataset(),
            space=preset_space(space),
            protocol=Protocol(),
            controller=controller,
            planned_trials=trials,
            workers=workers,
            seed=0,
            start_token=uuid4(),
            plan=SearchPlan(random_arm=False),
        )
        search.baselines.all().delete()  # what they take is no part of a trial; their messages find nothing
    while search.state == SearchState.RUNNING:
        time.sleep(0.25)
        search.refresh_from_db(fields=["state"])
    ended = [
        end.timestamp()
        for end in search.trials.filter(state=RunState.COMPLETED).order_by("finished_at").values_list("finished_at", flat=True)
    ]
    if len(ended) != trials:
        raise SystemExit(f"{len(ended)} of {trials} trials completed: {search.message}")
    with contextlib.suppress(Conflict):  # its finalists have no data, and may all have failed already
        search_stop(search_id=search.pk)
    return ended


def _dataset() -> Dataset:
    """A READY dataset without data: no trial of a no-op worker reads any."""

    counts = {"users": 1_000, "items": 1_000, "pairs": 50_000}
    return Dataset.objects.create(name="benchmark", state=DatasetState.READY, profile=counts)
