"""Holding a run while this worker does it, and what becomes of it when that ends early."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from gnn.errors import Diverged, GnnError, OutOfMemory
from gnn.text_features import TextModelMissing
from searchworker.heartbeat import Heartbeat
from webapp.enums import Failure
from webapp.services import runs, searches

log = logging.getLogger(__name__)

OWN_PACKAGES = ("gnn", "searchworker", "webapp")


class Abandoned(Exception):
    """Another attempt owns the run, or the search has ended: stop and write nothing."""


class GivenBack(Exception):
    """The run goes back to the queue: its search is paused or this worker is shutting down."""


@contextmanager
def ownership(run: runs.Run) -> Iterator[None]:
    """Hold the lease during the block and turn each way of ending early into the run's state."""

    def renew() -> bool:
        try:
            return runs.run_renew(run)
        finally:
            connection.close()  # the heartbeat thread's own

    def on_error(error: Exception) -> None:
        log.warning("Could not renew the lease of %s: %s", run, error)

    try:
        with Heartbeat(renew, interval=settings.RECSMITH_LEASE_SECONDS / 3, on_error=on_error):
            yield
    except Abandoned:
        log.info("%s is no longer ours; stopped", run)
    except GivenBack:
        runs.run_release(run)
    except (OperationalError, InterfaceError) as error:
        # A database that restarts says nothing about the run: its lease ends, and the reaper hands it out again.
        log.warning("Lost the database while running %s: %s", run, error)
    except OutOfMemory as error:
        runs.run_fail(run, failure=Failure.OUT_OF_MEMORY, message=str(error))
    except Diverged as error:
        runs.run_fail(run, failure=Failure.DIVERGED, message=str(error))
    except TextModelMissing as error:
        # The same for all its runs, so none of them is to blame.
        searches.search_break_off(search_id=run.search_id, message=str(error))
    except SoftTimeLimitExceeded:
        message = (
            f"It took more than {settings.RECSMITH_TRIAL_LIMIT_SECONDS:,} seconds. Search with fewer epochs, less data or smaller "
            "architectures, or raise RECSMITH_TRIAL_LIMIT_SECONDS."
        )
        runs.run_fail(run, failure=Failure.TIME_LIMIT, message=message)
    except GnnError as error:
        runs.run_fail(run, failure=Failure.ERROR, message=str(error))
    except Exception as error:
        runs.run_fail(run, failure=Failure.ERROR, message=f"{type(error).__name__}: {error}\n{failing_line(error)}")
        raise


def failing_line(error: Exception) -> str:
    """Where the error left Recsmith's own code: file, line, function and what stands there."""
    folders = [settings.BASE_DIR / name for name in OWN_PACKAGES]
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if any(Path(frame.filename).is_relative_to(folder) for folder in folders)]
    frame = own[-1]  # at least the block that held the run
    return f"{Path(frame.filename).relative_to(settings.BASE_DIR)}, line {frame.lineno}, in {frame.name}: {frame.line}"
