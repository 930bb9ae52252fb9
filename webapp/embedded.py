"""The embedded PostgreSQL and Valkey, shared by every command that runs in this folder.

Imports no Django: it sets the variables that the settings read. A command *holds* the servers while it runs;
the first holder starts them and the last one stops them. A holder is a file named after a process, so a
killed one is recognised and does not count.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil

from webapp.embedded_servers import EmbeddedError, PostgresServer, ValkeyServer

BASE_DIR = Path(__file__).resolve().parent.parent
SOCKET_PATH_LIMIT = 100  # characters; the system allows 103 to 107
WITHOUT_SERVERS = ("help", "version", "check", "collectstatic", "findstatic", "makemessages", "compilemessages", "startapp")


def home_folder() -> Path:
    """Where everything that must survive is kept."""
    return Path(os.environ.get("RECSMITH_HOME") or BASE_DIR / ".recsmith").resolve()


def needs_servers(arguments: Sequence[str]) -> bool:
    """Whether ``manage.py`` with these arguments (its own name left out) reaches the database."""
    asks_for_help = any(argument in ("--help", "-h", "--version") for argument in arguments)
    return bool(arguments) and not asks_for_help and arguments[0] not in WITHOUT_SERVERS


def process_birth(pid: int) -> str:
    """When the process was created, which tells it from a later one with the same id; empty if it is gone."""
    try:
        return str(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return ""


@dataclass(frozen=True)
class _Held:
    """What this process holds."""

    home: Path
    servers: tuple[PostgresServer | ValkeyServer, ...]
    exported: tuple[str, ...]


_held: list[_Held] = []


@contextlib.contextmanager
def servers_held(home: Path, *, start: bool = True, postgres_options: Sequence[str] = ()) -> Iterator[None]:
    """Export DATABASE_URL, REDIS_URL and SECRET_KEY where they are unset, with the servers running until the end.

    Args:
        start: False only names the addresses, for commands that load the settings and need no server.

    Raises:
        EmbeddedError: a server does not start, or the folder belongs to another account.
    """
    sockets = sockets_folder(home)
    servers: list[PostgresServer | ValkeyServer] = []
    exported = {}
    if not _is_given("DATABASE_URL"):
        servers.append(PostgresServer(home / "postgres", sockets, tuple(postgres_options)))
        exported["DATABASE_URL"] = f"postgresql://postgres@{quote(str(sockets), safe='')}/postgres"
    if not _is_given("REDIS_URL"):
        valkey = ValkeyServer(home / "valkey", sockets / "valkey.sock")
        servers.append(valkey)
        exported["REDIS_URL"] = f"unix://{valkey.socket}"
    if not _is_given("SECRET_KEY"):
        exported["SECRET_KEY"] = _secret_key(home) if start else secrets.token_urlsafe(50)
    os.environ.update(exported)
    if not start or not servers:
        yield
        return

    held = _Held(home, tuple(servers), tuple(exported))
    try:
        with folder_locked(home):
            _holder_file(home).write_text(process_birth(os.getpid()))
            for server in held.servers:
                server.start()
        _held.append(held)
        yield
    finally:
        with folder_locked(home):
            _held.clear()
            _holder_file(home).unlink(missing_ok=True)
            if not _living_holders(home):
                for server in reversed(held.servers):
                    server.stop()


def servers_revive() -> None:
    """Start again what this process holds and somebody killed."""
    for held in list(_held):
        with folder_locked(held.home):
            if _held:  # not let go of while waiting for the lock
                for server in held.servers:
                    server.start()


def outer_environment() -> dict[str, str]:
    """The environment without what this process exported: a command started with it holds the servers itself."""
    ours = {name for held in _held for name in held.exported}
    return {name: value for name, value in os.environ.items() if name not in ours}


def _is_given(variable: str) -> bool:
    return bool(os.environ.get(variable) or os.environ.get(f"{variable}_FILE"))


def _secret_key(home: Path) -> str:
    """The key of this installation, made once."""
    with folder_locked(home):
        file = home / "secret_key"
        if not file.exists():
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
                stream.write(secrets.token_urlsafe(50))
        return file.read_text()


def sockets_folder(home: Path) -> Path:
    """A folder whose sockets have a path short and plain enough for the system and for command lines."""
    folder = home / "run"
    if len(str(folder / ".s.PGSQL.5432.lock")) <= SOCKET_PATH_LIMIT and re.fullmatch(r"[\w/.+-]+", str(folder), re.ASCII):
        return folder
    # Not the TMPDIR of this shell: the next shell must find the same folder.
    return Path("/tmp") / f"recsmith-{os.geteuid()}-{hashlib.sha256(str(home).encode()).hexdigest()[:12]}"


@contextlib.contextmanager
def folder_locked(home: Path) -> Iterator[None]:
    """Hold the lock of ``home``; the system lets go of it when the process dies."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o711)
        if home.stat().st_uid != os.geteuid():
            raise PermissionError
        lock = (home / "lock").open("w")
    except PermissionError:
        raise EmbeddedError(
            f"{home} belongs to another account. Run Recsmith as that account, or set RECSMITH_HOME to a folder of your own."
        ) from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _holder_file(home: Path) -> Path:
    folder = home / "holders"
    folder.mkdir(exist_ok=True)
    return folder / str(os.getpid())


def _living_holders(home: Path) -> list[int]:
    """Process ids that hold the servers; files of killed ones are cleared away."""
    living = []
    for file in (home / "holders").iterdir():
        if file.read_text() == process_birth(int(file.name)):
            living.append(int(file.name))
        else:
            file.unlink()
    return living
