"""A file sent to a real web process in the chunks of the browser, over HTTP from a process of its own.

Uses tables: import it where Django is set up.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.utils.crypto import get_random_string

from webapp.models import Blob, Dataset
from webapp.processes import processes_running, stack_environment

_START_SECONDS = 60


def upload_measured(path: Path, home: Path) -> dict[str, Any]:
    """Upload ``path`` to the web server as Procfile starts it, on the database of this process; Django is set up.

    Gives the seconds until the file is stored and examined, and the peak memory of the web process, all its processes together.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = stack_environment(home, {"RECSMITH_PORT": port, "RECSMITH_UPLOAD_LIMIT_MB": 1 + path.stat().st_size // 10**6})
    with processes_running(("web",), environment, home / "web.log") as (web,):
        _wait_until_it_answers(port)
        before = _peak_mib(web.pid)
        started = time.perf_counter()
        dataset = _Sender(port).send(path)
        seconds = time.perf_counter() - started
        peak = _peak_mib(web.pid)
    stored = Blob.objects.get(name=Dataset.objects.get(pk=dataset).source_blob).size
    if stored != path.stat().st_size:
        raise SystemExit(f"{stored:,} of {path.stat().st_size:,} bytes are stored.")
    return {"seconds": round(seconds, 2), "web_mib": round(peak), "web_mib_before": round(before), "dataset": dataset}


class _Sender:
    """Talks as upload.js does, signed in as a user made for it."""

    def __init__(self, port: int) -> None:
        user, _ = User.objects.get_or_create(username="benchmark")  # every size is uploaded into the same database
        session = SessionStore()
        session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session.create()
        token = get_random_string(32)
        self._headers = {"Cookie": f"sessionid={session.session_key}; csrftoken={token}", "X-CSRFToken": token}
        self._connection = http.client.HTTPConnection("127.0.0.1", port)

    def send(self, path: Path) -> int:
        """The id of the dataset that the file became."""
        size, offset = path.stat().st_size, 0
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        begun = self._ask("POST", "/datasets/uploads/", urlencode({"filename": path.name, "size": size}).encode(), form)
        with path.open("rb") as file:
            while offset < size:
                file.seek(offset)
                chunk = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
                offset = self._ask("PATCH", begun["url"], file.read(begun["chunk_bytes"]), chunk)["offset"]
        done = self._ask("POST", begun["finish"], b"name=", form)
        return int(done["url"].split("/")[2])

    def _ask(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
        self._connection.request(method, url, body, self._headers | headers)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status not in (200, 201):
            raise SystemExit(f"{method} {url}: status {response.status}, {answer[:500]!r}")
        parsed: dict[str, Any] = json.loads(answer)
        return parsed


def _wait_until_it_answers(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.2)
    raise SystemExit(f"The web process did not answer within {_START_SECONDS} s.")


def _peak_mib(pid: int) -> float:
    """The highest resident memory that each process of a tree ever had, added up."""
    master = psutil.Process(pid)
    pages = [Path(f"/proc/{process.pid}/status").read_text() for process in (master, *master.children(recursive=True))]
    return sum(int(text.split("VmHWM:")[1].split()[0]) for text in pages) / 1024
