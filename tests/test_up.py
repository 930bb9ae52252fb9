"""The one command that runs everything: starting, stopping, being started twice, recovering from kill -9."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path

import psutil
import pytest

from tests.waiting import wait_for
from webapp.embedded import BASE_DIR

pytestmark = pytest.mark.slow


class Up:
    """`manage.py up` in a home of its own, on a port of its own."""

    def __init__(self, home: Path, port: int) -> None:
        self.home, self.port = home, port
        self.address = f"http://127.0.0.1:{port}"
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "RECSMITH_OWNER", "DJANGO_SETTINGS_MODULE")
        } | {"RECSMITH_HOME": str(home), "RECSMITH_WORKERS": "1"}
        self.log = home.with_suffix(".log")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if self.process is not None:
            self.process.wait()
        with self.log.open("wb") as output:
            command = (sys.executable, str(BASE_DIR / "manage.py"), "up", f"--port={self.port}")
            self.process = subprocess.Popen(command, env=self.environment, stdout=output, stderr=output, start_new_session=True)
        wait_for(lambda: "Recsmith is ready" in self.output() or self.ended(), seconds=90, what="the stack to get ready")
        assert not self.ended(), self.output()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = (sys.executable, str(BASE_DIR / "manage.py"), *arguments)
        return subprocess.run(command, env=self.environment, check=False, capture_output=True, text=True, timeout=90)

    def interrupt(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def processes(self) -> list[psutil.Process]:
        """Everything that lives and works for this home."""
        found = []
        for process in psutil.process_iter():
            try:
                places = (process.environ().get("RECSMITH_HOME"), str(Path(process.cwd()).parent))
                if str(self.home) in places and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def kill_all(self) -> None:
        while living := self.processes():
            for process in living:
                process.kill()
            psutil.wait_procs(living, timeout=5)


@pytest.fixture
def up() -> Iterator[Up]:
    # Not tmp_path: its parents are closed to the account that PostgreSQL runs under when tests run as root.
    folder = Path(tempfile.mkdtemp(prefix="recsmith-up-"))
    folder.chmod(0o711)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    up = Up(folder / "home", port)
    yield up
    print(up.output() if up.log.exists() else "")
    up.kill_all()
    if up.process is not None:
        up.process.wait()
    shutil.rmtree(folder)


def get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=20) as response:
        return response.read().decode()


def claim(link: str) -> str:
    """Choose a name and password at a one-time link, as a browser would; gives the page that follows."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with browser.open(link, timeout=20) as page:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
    assert token is not None
    fields = {"csrfmiddlewaretoken": token[1], "username": "ada", "password": "engines and looms"}
    with browser.open(link, urllib.parse.urlencode(fields).encode(), timeout=20) as page:
        return page.read().decode()


def one_time_link(text: str) -> str:
    link = re.search(r"http://\S+/welcome/\S+/", text)
    assert link is not None, text
    return link[0]


def test_up_serves_stops_cleanly_and_finds_its_data_again(up: Up) -> None:
    up.start()
    assert '"ok"' in get(f"{up.address}/healthz")
    link = one_time_link(up.output())
    assert link.startswith(up.address)
    assert "Welcome, ada" in claim(link)
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(link)
    assert refused.value.code == 410
    refused.value.close()
    assert (up.home / "secret_key").stat().st_mode & 0o777 == 0o600

    again = up.command("up", f"--port={up.port}")
    assert again.returncode == 1
    assert f"already runs from this folder, at {up.address}" in again.stderr

    assert up.interrupt() == 0
    assert up.processes() == []

    up.start()
    assert "/welcome/" not in up.output()  # ada is still there
    users = up.command(
        "shell", "--verbosity=0", "--command=from django.contrib.auth.models import User; print(User.objects.get().username)"
    )
    assert users.stdout.strip() == "ada"
    assert '"ok"' in get(f"{up.address}/healthz")  # the command did not take the servers away
    assert up.process is not None
    up.process.terminate()
    assert up.process.wait(60) == 0
    assert up.processes() == []


def test_up_recovers_from_kill_9(up: Up) -> None:
    up.start()
    up.kill_all()
    up.start()

    # Only the command itself: its children live on, and the next start ends them.
    assert up.process is not None
    up.process.kill()
    up.process.wait()
    assert up.processes()
    up.start()
    assert "that a killed run had left behind" in up.output()
    assert up.interrupt() == 0
    assert up.processes() == []


def test_up_restarts_killed_servers(up: Up) -> None:
    up.start()
    killed = [process for process in up.processes() if process.name() == "valkey-server" or process.name() == "postgres"]
    assert len(killed) > 1
    for process in killed:
        process.kill()
    wait_for(lambda: not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in killed), seconds=10)

    def healthy() -> bool:
        try:
            return '"ok"' in get(f"{up.address}/healthz")
        except urllib.error.HTTPError as error:
            error.close()
            return False

    wait_for(healthy, seconds=30, every=0.5, what="the database to come back")
    assert up.interrupt() == 0
    assert up.processes() == []


def test_up_restarts_a_killed_worker(up: Up) -> None:
    up.start()
    workers = {process.pid: process for process in up.processes() if "control@%h" in process.cmdline()}
    (leader,) = (process for process in workers.values() if process.ppid() not in workers)  # the others are its pool
    leader.kill()
    wait_for(lambda: up.output().count("control started") == 2, seconds=30, what="the worker to be started again")
    assert "control ended unexpectedly with status -9" in up.output()
    assert up.interrupt() == 0
    assert up.processes() == []


def test_up_says_which_port_is_taken(up: Up) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", up.port))
        other.listen()
        refused = up.command("up", f"--port={up.port}")
    assert refused.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{up.port}" in refused.stderr
    assert "--port" in refused.stderr
    assert up.processes() == []


def test_a_deep_folder_gets_a_short_socket_path(up: Up) -> None:
    up.environment["RECSMITH_HOME"] = str(up.home / ("deep" * 20) / "a b")
    done = up.command("migrate", "--verbosity=0")
    assert done.returncode == 0, done.stderr


def test_help_starts_nothing(up: Up) -> None:
    assert "search_run" in up.command("help").stdout
    assert "--port" in up.command("up", "--help").stdout
    assert not up.home.exists()


def test_a_command_before_the_tables_are_made_says_what_to_do(up: Up) -> None:
    told = up.command("signin_link", "ada")
    assert told.returncode == 1
    assert told.stderr.strip().endswith("the tables are not those of this version. Run manage.py migrate first.")
    assert "Traceback" not in told.stderr
    assert up.command("migrate").returncode == 0
    assert up.command("signin_link", "ada").returncode == 0
