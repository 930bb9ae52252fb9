from __future__ import annotations

import pytest

from gnn.device import set_threads


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """As a worker beside others has it; on a busy machine, threads that wait for each other cost most of the time."""
    set_threads(1)
