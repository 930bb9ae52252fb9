"""A real browser on the real stack: web server, workers and beat on the test database."""

from __future__ import annotations

import os
import re
import shutil
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from tests.waiting import wait_for
from webapp.processes import processes_running
from webapp.queue import CONTROL_QUEUE, TRIALS_QUEUE, app
from webapp.selectors.workers import workers_alive

PASSWORD = "correct horse battery staple"
TIMEOUT_MS = 30_000
"""Generous: a test machine may be busy with two workers."""


EXPECTED = ("status of 422", "status of 503", "net::ERR_CONNECTION_RESET")
"""Chromium reports as errors what are answers to a form with a mistake, and connections and servers that a test breaks."""


@pytest.fixture(scope="session", autouse=True)
def _database_beside_playwright() -> None:
    # Playwright's event loop lives in this thread, which Django takes for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=TIMEOUT_MS)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@pytest.fixture
def stack(worker_environment: dict[str, str], static_files: None, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The whole stack; gives the address of the web process."""
    with app.connection_for_write() as broker:
        broker.default_channel.client.flushdb()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    log = tmp_path / "stack.log"
    environment = worker_environment | {"RECSMITH_PORT": str(port), "RECSMITH_WORKERS": "2"}

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=2) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    with processes_running(("web", "control", "trials", "beat"), environment, log):
        wait_for(answers, what="the web process to answer")
        for queue in (CONTROL_QUEUE, TRIALS_QUEUE):
            wait_for(lambda queue=queue: workers_alive(queue=queue).exists(), what=f"the {queue} worker to report")
        yield address
    request.node.add_report_section("teardown", "stack", log.read_text(errors="replace"))


@pytest.fixture
def page(browser: Browser, stack: str) -> Iterator[Page]:
    """A page on which an error in the console or a request to another host fails the test."""
    complaints: list[str] = []

    def check_host(request: Request) -> None:
        if not request.url.startswith((stack, "data:", "blob:")):
            complaints.append(f"request to {request.url}")

    context = browser.new_context(base_url=stack, viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.on("request", check_host)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" and not _expected(message.text) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def signed_in_page(page: Page) -> Page:
    User.objects.create_user("ada", password=PASSWORD)
    page.goto("/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/$"))
    return page


def _expected(text: str) -> bool:
    return any(part in text for part in EXPECTED)
