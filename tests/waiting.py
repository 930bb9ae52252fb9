from __future__ import annotations

import time
from collections.abc import Callable

import pytest


def wait_for(condition: Callable[[], object], *, seconds: float = 60, every: float = 0.1, what: str = "the condition") -> None:
    """Return once ``condition`` is true; fail the test after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"Waited {seconds:g} s in vain for {what}.")
        time.sleep(every)
