"""A real web process and somebody who is signed in. Imports tables: use it where Django is set up."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.urls import URLPattern, get_resolver

from webapp.processes import processes_running, stack_environment

START_SECONDS = 60


@contextlib.contextmanager
def web_process(home: Path) -> Iterator[tuple[int, psutil.Process]]:
    """The web server as Procfile starts it, on the database of this process: its port, and the process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with processes_running(("web",), stack_environment(home, {"RECSMITH_PORT": port}), home / "web.log") as (web,):
        deadline = time.monotonic() + START_SECONDS
        while not _answers(port):
            if time.monotonic() > deadline:
                raise SystemExit(f"The web process did not answer within {START_SECONDS} s.\n{(home / 'web.log').read_text()}")
            time.sleep(0.2)
        yield port, psutil.Process(web.pid)


def signed_in(name: str) -> dict[str, str]:
    """Cookies of a new session of the user called ``name``."""
    user, _ = User.objects.get_or_create(username=name)
    session = SessionStore()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session.create()
    assert session.session_key is not None
    return {"sessionid": session.session_key}


def memory_mib(process: psutil.Process) -> float:
    """Resident memory of a process and those under it."""
    return sum(each.memory_info().rss for each in (process, *process.children(recursive=True))) / 2**20


def cpu_seconds(process: psutil.Process) -> float:
    """Processor time that a process and those under it have used."""
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def page_patterns() -> list[URLPattern]:
    """Every address that a browser may ask for, but those of the REST interface."""
    return [pattern for pattern in get_resolver().url_patterns if isinstance(pattern, URLPattern)]


def _answers(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
