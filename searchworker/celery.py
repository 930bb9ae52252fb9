"""The worker's Celery application: `celery -A searchworker.celery worker -Q control,trials`."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import warnings
from typing import Any

import billiard
from celery import signals
from celery.exceptions import SecurityWarning

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

import django  # noqa: E402 (settings come first)

django.setup()

from django.conf import settings  # noqa: E402

# Read when torch and numba load. OpenMP's threads would otherwise be one per core and spin while they wait for
# each other, which is slow where more trials run than there are free cores.
os.environ["OMP_NUM_THREADS"] = str(settings.RECSMITH_THREADS)
if "numba" not in sys.modules:  # it refuses a change once its threads run
    os.environ["NUMBA_NUM_THREADS"] = str(settings.RECSMITH_THREADS)
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# The worker itself must not wake CUDA: a task process that is forked afterwards could not use it. NVML counts GPUs without.
os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"

import psutil  # noqa: E402
import torch  # noqa: E402
from django.db import close_old_connections, connection  # noqa: E402

from gnn.device import set_threads  # noqa: E402
from gnn.heap import keep_freed_memory  # noqa: E402
from webapp.queue import app  # noqa: E402
from webapp.services.workers import worker_gone, worker_seen  # noqa: E402

__all__ = ["app"]

# Celery's reason to warn is that messages may carry pickles; ours are JSON and nothing else is accepted.
warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges", category=SecurityWarning)

app.conf.imports = ("searchworker.tasks",)
app.conf.worker_consumer = "searchworker.consumer:LastingConsumer"
# Celery would open a connection to the database for every task, which takes longer than most rounds of a search. Django's own care for
# connections, around requests, is right for tasks too: those that are too old or broken are replaced.
app.conf.CELERY_DB_REUSE_MAX = sys.maxsize

SEEN_EVERY_SECONDS = min(10.0, settings.RECSMITH_LEASE_SECONDS / 6)
"""Between two reports of a worker that it lives."""

draining = billiard.Event()
"""Set when this worker is asked to shut down; its tasks save a checkpoint and give their runs back."""


def device_name() -> str:
    """The device of this worker process: its own GPU where there are several, or the CPU."""
    if not torch.cuda.is_available():
        return "cpu"
    return f"cuda:{billiard.current_process().index % torch.cuda.device_count()}"


@signals.task_prerun.connect
@signals.task_postrun.connect
def _renew_connections(sender: Any, **_: Any) -> None:
    if not sender.request.is_eager:
        close_old_connections()


@signals.worker_process_init.connect
def _process_starts(**_: Any) -> None:
    set_threads(settings.RECSMITH_THREADS)
    keep_freed_memory()


def _report_presence(consumer: Any, *, starts: bool = False) -> None:
    """Tell the database that this worker lives, and learn whether it should take no more work."""
    host = socket.gethostname()
    memory = psutil.virtual_memory()
    drain = worker_seen(
        name=consumer.hostname,
        queues=consumer.queues_taken(),
        slots=consumer.pool.num_processes,
        threads=settings.RECSMITH_THREADS,
        device=f"{gpus} CUDA GPU{'s' if gpus > 1 else ''} of {host}" if (gpus := torch.cuda.device_count()) else f"CPU of {host}",
        host=host,
        memory_bytes=memory.total,
        free_bytes=memory.available,
        used_bytes=_memory_used(),
        starts=starts,
    )
    consumer.rest(drain)
    # Pool processes are forked from this one and must not inherit a connection in use.
    connection.close()


def _memory_used() -> int:
    """Resident memory of this worker and its task processes, in bytes; pages that they share count for each."""
    used = 0
    me = psutil.Process()
    for process in (me, *me.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):  # a task process may be replaced meanwhile
            used += process.memory_info().rss
    return used


@signals.worker_ready.connect
def _ready(sender: Any, **_: Any) -> None:
    _report_presence(sender, starts=True)
    # Celery sends its own heartbeats only where gossip or events ask for them.
    sender.timer.call_repeatedly(SEEN_EVERY_SECONDS, _report_presence, (sender,))


@signals.worker_shutting_down.connect
def _shutting_down(sender: Any, **_: Any) -> None:
    draining.set()
    worker_gone(name=str(sender))
    connection.close()
