"""Keeping a lease alive while training is busy, however long an epoch takes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType


class Heartbeat:
    """Call ``renew`` every ``interval`` seconds from a thread until the block ends or ``renew`` returns False.

    Errors of ``renew`` (a database restart) are not fatal: it is tried again at the next beat, and the
    lease decides who owns the work.
    """

    def __init__(self, renew: Callable[[], bool], *, interval: float, on_error: Callable[[Exception], None]) -> None:
        self._renew = renew
        self._interval = interval
        self._on_error = on_error
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def _beat(self) -> None:
        while not self._over.wait(self._interval):
            try:
                if not self._renew():
                    return
            except Exception as error:
                self._on_error(error)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
