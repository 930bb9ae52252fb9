from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, IntegerField, QuerySet, Sum, Value
from django.db.models.functions import Coalesce, Left, Now, StrIndex
from django.utils import timezone

from webapp.enums import RunState
from webapp.models import Baseline, FinalistRun, ModelBuild, Trial, Worker

ALIVE_SECONDS = 30
"""Workers report every ten seconds; three missed reports and one counts as gone."""

SHOWN_FOR = timedelta(days=1)
MAX_SHOWN = 300
MAX_TASKS = 1000
"""Of each kind, running at the same time."""
RATE_OVER = timedelta(hours=1)

NONE = Value(None, output_field=IntegerField())
"""For a column that a kind of task does not have."""


@dataclass(frozen=True)
class Task:
    """What a worker does now."""

    kind: str
    """"trial", "baseline", "finalist" or "model"."""
    search_id: int
    search_name: str
    label: str
    """Number of the trial, or name of the baseline."""
    trial: int | None
    """Number of the trial that has a page."""
    started_at: datetime | None
    epochs: int | None


@dataclass(frozen=True)
class WorkerRow:
    """A worker with what it does and did in the last hour."""

    worker: Worker
    alive: bool
    tasks: Sequence[Task]
    trials: int
    """Ended in the last hour, or since it started if that is less."""
    epochs: int
    """Of those trials."""
    hours: float
    """Over which these are counted, at most 1."""

    @property
    def drained(self) -> bool:
        """Asked to drain, and with nothing left to finish."""
        return self.worker.drain and not self.tasks

    @property
    def trials_per_hour(self) -> float | None:
        return self.trials / self.hours if self.hours else None

    @property
    def epochs_per_hour(self) -> float | None:
        return self.epochs / self.hours if self.hours else None


def workers_heard() -> QuerySet[Worker]:
    """Workers heard of lately."""
    return Worker.objects.filter(seen_at__gt=Now() - timedelta(seconds=ALIVE_SECONDS), gone_at=None)


def workers_alive(*, queue: str) -> QuerySet[Worker]:
    """Of these, those that take tasks from ``queue`` and are not asked to drain."""
    return workers_heard().filter(queues__contains=[queue], drain=False)


def worker_rows() -> list[WorkerRow]:
    """Workers heard of within a day: those alive first, each group by name."""
    tasks = defaultdict(list)
    for name, task in _running():
        tasks[name].append(task)
    done = _lately()
    now = timezone.now()
    alive_since = now - timedelta(seconds=ALIVE_SECONDS)
    rows = []
    for worker in Worker.objects.filter(seen_at__gt=now - SHOWN_FOR).order_by("name")[:MAX_SHOWN]:
        alive = worker.gone_at is None and worker.seen_at > alive_since
        trials, epochs = done.get(worker.name, (0, 0))
        hours = max(0.0, min(RATE_OVER, now - worker.started_at) / timedelta(hours=1)) if alive else 0.0
        rows.append(WorkerRow(worker, alive, tasks[worker.name] if alive else [], trials, epochs, hours))
    return sorted(rows, key=lambda row: (not row.alive, row.worker.name))


def _running() -> Iterator[tuple[str, Task]]:
    """Name of a worker -> what it does."""
    state = {"state": RunState.RUNNING}
    common = ("worker", "search_id", "search__name")
    trials = Trial.objects.filter(**state).values_list(*common, "number", "number", "started_at", "epochs")
    baselines = Baseline.objects.filter(**state).values_list(*common, "name", NONE, "started_at", NONE)
    finalists = FinalistRun.objects.filter(**state).values_list(*common, "trial__number", "trial__number", "started_at", "epochs")
    builds = ModelBuild.objects.filter(**state).values_list(*common, "trial__number", "trial__number", "started_at", "epochs")
    for kind, rows in (("trial", trials), ("baseline", baselines), ("finalist", finalists), ("model", builds)):
        for worker, search_id, search_name, label, trial, started_at, epochs in rows.order_by("id")[:MAX_TASKS]:
            yield worker.partition("/")[0], Task(kind, search_id, search_name, str(label), trial, started_at, epochs)


def _lately() -> dict[str, tuple[int, int]]:
    """Name of a worker -> the trials that it ended in the last hour, and their epochs."""
    ended = Trial.objects.filter(finished_at__gt=Now() - RATE_OVER, same_as=None, worker__contains="/")
    named = ended.annotate(of=Left("worker", StrIndex("worker", Value("/")) - 1))
    counted = named.order_by("of").values("of").annotate(n=Count("id"), trained=Coalesce(Sum("epochs"), 0))
    return {row["of"]: (row["n"], row["trained"]) for row in counted[:MAX_SHOWN]}
