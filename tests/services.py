"""Pytest plugin: one embedded PostgreSQL and Valkey for the whole run, in a folder that is thrown away.

Loaded by ``-p tests.services``, since the settings that pytest-django reads need the addresses.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from webapp.embedded import servers_held

_running = contextlib.ExitStack()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Generator[None]:
    """Start the servers before pytest-django loads the settings."""
    for variable in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY"):
        os.environ.pop(variable, None)  # tests never touch a server that somebody uses
    folder = Path(tempfile.mkdtemp(prefix="recsmith-tests-"))
    _running.callback(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o711)  # the database account passes through
    os.environ["RECSMITH_HOME"] = str(folder)
    fast = ("-c fsync=off", "-c synchronous_commit=off", "-c full_page_writes=off")
    _running.enter_context(servers_held(folder, postgres_options=fast))
    return (yield)


def pytest_unconfigure() -> None:
    """Stop the servers, also after Ctrl-C."""
    _running.close()
