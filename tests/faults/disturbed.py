"""A search of quick trials on real workers, and what must hold of it whatever happened on the way."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from gnn.catalogue import build_space
from gnn.plan import Rungs, SearchPlan
from gnn.protocol import Protocol
from tests.toy_dataset import toy_dataset
from tests.waiting import wait_for
from webapp.embedded import home_folder
from webapp.embedded_servers import PostgresServer, ValkeyServer
from webapp.enums import RunState, SearchState
from webapp.models import Search, TrialRung
from webapp.queue import app
from webapp.services import searches

TRIALS = 40
"""Of both arms together."""
SPACE = build_space(
    {"node_dim": (8, 16, 32), "layers": (1, 2), "operator": ("lightgcn", "gcn"), "learning_rate": (0.01, 0.02, 0.03, 0.04, 0.05)}
)
PROTOCOL = Protocol(max_epochs=8, patience=8, finalists=1, finalist_seeds=1)
PLAN = SearchPlan(random_arm=True, rungs=Rungs(first=2, factor=2, count=3))
OPTIONS = ("-c fsync=off", "-c full_page_writes=off")
"""Commits must reach the system, which outlives the server here, and no more."""
WRONG_CLOCK = """
import datetime, time
_time, _datetime = time.time, datetime.datetime
class _Kind(type):
    def __instancecheck__(cls, value): return isinstance(value, _datetime)
    def __subclasscheck__(cls, kind): return issubclass(kind, _datetime)
class datetime_(_datetime, metaclass=_Kind):
    @classmethod
    def now(cls, tz=None): return _datetime.now(tz) + datetime.timedelta(seconds=SKEW)
    @classmethod
    def utcnow(cls): return cls.now(datetime.timezone.utc).replace(tzinfo=None)
time.time = lambda: _time() + SKEW
datetime.datetime = datetime_
"""
"""For :func:`patched`, with a number of seconds in place of SKEW."""
SLOW_EPOCHS = """
import sys, time
def _slow():
    import webapp.services.trials as trials
    report = trials.trial_report_epoch
    def slowly(*arguments, **named):
        time.sleep(0.5)
        return report(*arguments, **named)
    trials.trial_report_epoch = slowly
import importlib.abc
class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "searchworker.training":
            sys.meta_path.remove(self)
            _slow()
sys.meta_path.insert(0, _Finder())
"""
"""For :func:`patched`: each epoch lasts long enough to be interrupted."""
PROCESSES = ("control", "trials", "beat")


def start(*, seed: int, workers: int = 1) -> Search:
    return searches.search_start(
        owner=None,
        name="faults",
        dataset=toy_dataset(),
        space=SPACE,
        protocol=PROTOCOL,
        controller="ppo",
        planned_trials=TRIALS // 2,
        workers=workers,
        seed=seed,
        start_token=uuid.uuid4(),
        plan=PLAN,
    )


def has_ended(search: Search) -> bool:
    with contextlib.suppress(OperationalError, InterfaceError):  # while the database is away
        search.refresh_from_db()
        return search.state not in (SearchState.RUNNING, SearchState.FINISHING)
    connection.close()
    return False


def told(search: Search) -> int:
    """Outcomes told so far, of every rung; 0 while the database is away."""
    with contextlib.suppress(OperationalError, InterfaceError):
        return TrialRung.objects.filter(search=search).count()
    return 0


def wait_for_told(search: Search, count: int) -> None:
    wait_for(lambda: has_ended(search) or told(search) >= count, every=0.02, what=f"{count} outcomes to be told")
    assert not has_ended(search), f"The search ended before {count} outcomes: {search.message}"


def wait_for_end(search: Search, log: Path) -> None:
    wait_for(lambda: has_ended(search), seconds=240, what=f"the search to end; the workers' log: {log}")
    assert search.state == SearchState.FINISHED, search.message


def flush_broker() -> None:
    with app.connection_for_write() as broker:
        broker.default_channel.client.flushdb()


def postgres() -> PostgresServer:
    """The server of this test run; it is started again with OPTIONS."""
    return PostgresServer(home_folder() / "postgres", Path(settings.DATABASES["default"]["HOST"]), OPTIONS)


def valkey() -> ValkeyServer:
    return ValkeyServer(home_folder() / "valkey", Path(settings.REDIS_URL.removeprefix("unix://")))


def account(search: Search) -> list[dict[str, Any]]:
    """Every trial with what the controller knows of it, in order of number; checks that each is accounted for once."""
    trials = list(search.trials.order_by("number"))
    assert [trial.number for trial in trials] == list(range(1, TRIALS + 1))
    assert {trial.state for trial in trials} == {RunState.COMPLETED}
    assert len({(trial.arm, trial.key) for trial in trials}) == TRIALS, "an arm trained an architecture twice"
    orders = [trial.told_order for trial in trials]
    assert None not in orders, "an outcome was never told"
    assert len(set(orders)) == TRIALS
    rungs = {(row.trial_id, row.rung) for row in TrialRung.objects.filter(search=search)}
    assert len(rungs) == told(search) == sum(trial.rung + 1 for trial in trials), "each rung of each trial is told once"
    for arm in search.arms.exclude(name="manual"):
        of_arm = [trial for trial in trials if trial.arm == arm.name]
        assert (arm.proposed, arm.epochs) == (len(of_arm), sum(trial.epochs for trial in of_arm))
        assert arm.told == sum(trial.rung + 1 for trial in of_arm)
    for trial in trials:
        assert trial.same_as_id or list(trial.curve.order_by("epoch").values_list("epoch", flat=True)) == list(range(1, trial.epochs + 1))
        assert not trial.checkpoint_blob
    return [
        {name: getattr(trial, name) for name in ("number", "arm", "key", "rung", "epochs", "scores", "reward", "ending")}
        for trial in trials
    ]


def kill_postgres() -> None:
    """End every process of the server with SIGKILL, as the machine's memory killer does."""
    postmaster = psutil.Process(int((home_folder() / "postgres" / "postmaster.pid").read_text().splitlines()[0]))
    _kill([postmaster, *postmaster.children(recursive=True)])


def kill_valkey() -> None:
    _kill([psutil.Process(int((home_folder() / "valkey" / "valkey.pid").read_text()))])


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        process.kill()
    psutil.wait_procs(processes, timeout=10)


def patched(environment: Mapping[str, str], folder: Path, code: str) -> dict[str, str]:
    """The environment of Python processes that run ``code`` before anything else."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(code)
    return {**environment, "PYTHONPATH": os.pathsep.join((str(folder), environment.get("PYTHONPATH", "")))}
