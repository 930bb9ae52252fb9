from __future__ import annotations

from collections.abc import Iterator

import pytest

# Imported before any test imports PyG itself: the engine silences the warning of PyG's first import.
from gnn import layers  # noqa: F401
from gnn.device import set_threads


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small products gain nothing from threads, and other processes share the machine."""
    set_threads(1)
    yield
    set_threads(1)
