"""One process of the stack, kept alive: what ends without being asked to is started again."""

from __future__ import annotations

import os
import signal
import threading
import time
from multiprocessing.synchronize import Event
from typing import Any

from honcho.process import Process

FIRST_DELAY = 1.0
"""Seconds before the first restart; each further one waits twice as long."""
LONGEST_DELAY = 30.0
STEADY_SECONDS = 60.0
"""A process that ran this long is taken to be well: its restarts count from the beginning again."""
LAST_WORDS_SECONDS = 5.0
"""How long to read on for what an ended process has still to say: a daemon that it left may hold its output open for ever."""
MOST_RESTARTS = 5
"""In a row; a process that still does not stay is broken, and ends the stack."""


class KeptProcess(Process):  # type: ignore[misc]  # honcho is untyped
    """Runs a command in a child process, again and again until ``stopping`` is set.

    Made by the process that is to own it; runs in a child of that, to which SIGINT and SIGTERM mean nothing: it ends when its command has.
    """

    def __init__(self, *arguments: Any, stopping: Event, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._stopping = stopping
        # By its number: multiprocessing tells a parent's death by a pipe, which the processes started later hold open too.
        self._owner = os.getpid()

    def run(self, events: Any = None, ignore_signals: bool = False) -> None:
        """Run the command until it is told to stop, or ends too often; sends lines, starts and the last end to ``events``."""
        self._events = events
        if ignore_signals:
            # Handlers and not SIG_IGN, which the command would inherit.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: None)
        restarts = 0
        while True:
            started = time.monotonic()
            status = self._run_once()
            lasted = time.monotonic() - started
            restarts = 0 if lasted >= STEADY_SECONDS else restarts
            delay = min(LONGEST_DELAY, FIRST_DELAY * 2**restarts)
            restarts += 1
            if not self._is_wanted():
                break
            ended = f"{self.name} ended unexpectedly with status {status} after {lasted:.0f} s"
            if restarts > MOST_RESTARTS:
                self._send_message(f"{ended}, and was started {MOST_RESTARTS} times again in vain. Its messages above say why.\n")
                break
            self._send_message(f"{ended}; it is started again in {delay:g} s.\n")
            self._stopping.wait(delay)
            if not self._is_wanted():
                break
        self._send_message({"returncode": status}, type="stop")

    def _run_once(self) -> int:
        """Run the command once to its end; its status."""
        child = self._child = self._child_ctor(self.cmd, env=self.env, cwd=self.cwd)
        reader = threading.Thread(target=self._forward, args=(child.stdout,), daemon=True)
        reader.start()
        self._send_message({"pid": child.pid}, type="start")
        if not self._is_wanted():  # the signal may have gone to the child before this one
            child.terminate()
        # What it leaves behind in its session, such as a pool without its worker, goes first: while the child is not
        # reaped, nothing else can have its number.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        os.killpg(child.pid, signal.SIGKILL)
        reader.join(LAST_WORDS_SECONDS)
        return int(child.wait())

    def _is_wanted(self) -> bool:
        """Whether the command is to run: nobody asked to stop, and whoever started this process lives."""
        return not self._stopping.is_set() and os.getppid() == self._owner

    def _forward(self, output: Any) -> None:
        with output:
            for line in iter(output.readline, b""):
                if not self.quiet:
                    self._send_message(line)
