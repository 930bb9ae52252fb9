"""Workers for a command that needs some: those that are alive, or its own for as long as it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from django.conf import settings
from django.core.management.base import CommandError

from webapp.embedded import home_folder
from webapp.processes import leftovers_stop, processes_running, stack_environment
from webapp.queue import CONTROL_QUEUE, TRIALS_QUEUE
from webapp.selectors.workers import workers_alive


@contextlib.contextmanager
def workers_ensured(*, slots: int) -> Iterator[Callable[[], None]]:
    """Start the worker processes that nobody runs; gives a check that raises CommandError when one of them has ended.

    Args:
        slots: how many trials workers started here run at once.
    """
    leftovers_stop(home_folder())
    missing = [queue for queue in (CONTROL_QUEUE, TRIALS_QUEUE) if not workers_alive(queue=queue).exists()]
    if not missing:
        yield lambda: None
        return
    log = home_folder() / "workers.log"
    environment = stack_environment(home_folder(), {"RECSMITH_WORKERS": slots, "RECSMITH_THREADS": settings.RECSMITH_THREADS})
    with processes_running((*missing, "beat"), environment, log) as processes:

        def check() -> None:
            if any(process.poll() is not None for process in processes):
                last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                raise CommandError(f"A worker process ended. The last lines of {log}:\n{last}")

        yield check
