"""All processes of the stack in one terminal, under honcho, with one prefixed log."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import honcho.manager
from honcho.compat import ProcessManager
from honcho.manager import Manager

from webapp.embedded import BASE_DIR, folder_locked, process_birth, servers_revive
from webapp.embedded_servers import EmbeddedError
from webapp.processes import STOP_SECONDS, procfile_commands
from webapp.supervision import KeptProcess


class _LeaderSignals(ProcessManager):  # type: ignore[misc]  # honcho is untyped
    """Ask only the process itself to end: a worker must see its pool finish, not lose it to the same signal."""

    def terminate(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


class Stack(Manager):  # type: ignore[misc]  # honcho is untyped
    """Runs every Procfile command, and again where it ends unexpectedly, until a person asks to stop or one does not stay."""

    def __init__(self, environment: Mapping[str, str], commands: Mapping[str, str] | None = None) -> None:
        super().__init__()
        honcho.manager.KILL_WAIT = STOP_SECONDS
        self._procmgr = _LeaderSignals()
        self._stopping = multiprocessing.Event()
        self._process_ctor = partial(KeptProcess, stopping=self._stopping)
        for name, command in (commands or procfile_commands()).items():
            self.add_process(name, f"exec {command}", env=dict(environment), cwd=str(BASE_DIR))

    def run(self) -> int:
        """Block until everything has ended; 0 when a person asked for it, else the status of what ended first."""
        # A closed terminal is a wish to stop, too.
        signal.signal(signal.SIGHUP, lambda number, frame: os.kill(os.getpid(), signal.SIGTERM))
        self.loop()
        asked = self.returncode in (128 + signal.SIGINT, 128 + signal.SIGTERM)
        return 0 if asked else int(self.returncode or 1)

    def terminate(self) -> None:
        if self._all_started():
            self._stopping.set()
            super().terminate()
        else:  # what has no process id yet could not be ended
            retry = threading.Timer(0.1, self.terminate)
            retry.daemon = True
            retry.start()

    def say(self, text: str) -> None:
        self._system_print(f"{text}\n")


@contextlib.contextmanager
def stack_marked(home: Path, address: str) -> Iterator[None]:
    """Claim ``home`` for one stack at a time.

    Raises:
        EmbeddedError: a stack runs there already; the message names its process and address.
    """
    mark = home / "up"
    with folder_locked(home):
        if other := stack_address(home):
            raise EmbeddedError(f"Recsmith already runs from this folder, at {other}. Stop it with Ctrl-C in its terminal first.")
        mark.write_text(f"{os.getpid()}|{process_birth(os.getpid())}|{address}")
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)


def stack_address(home: Path) -> str | None:
    """Where the stack of ``home`` serves, if one runs."""
    try:
        pid, birth, address = (home / "up").read_text().split("|", 2)
    except (FileNotFoundError, ValueError):
        return None
    return address if process_birth(int(pid)) == birth else None


def port_check(host: str, port: int) -> None:
    """Raise EmbeddedError when ``port`` cannot be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise EmbeddedError(f"Cannot listen on {host}:{port}: {error}. Choose another port with --port or RECSMITH_PORT.") from error


def keep_servers_alive(*, every: float = 3) -> None:
    """Restart the embedded servers from a thread when they die; the workers find them again by themselves."""

    def watch() -> None:
        while True:
            time.sleep(every)
            with contextlib.suppress(EmbeddedError, OSError):
                servers_revive()

    threading.Thread(target=watch, name="servers", daemon=True).start()


def when_healthy(address: str, then: Callable[[], None], *, seconds: float = 120) -> None:
    """Call ``then`` from a thread once the web process answers."""

    def wait() -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(urllib.error.URLError, OSError):
                urllib.request.urlopen(f"{address}/healthz", timeout=5).close()
                then()
                return
            time.sleep(0.2)

    threading.Thread(target=wait, name="health", daemon=True).start()
