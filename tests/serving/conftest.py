"""A real scoring process on the test database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from tests.serving.worlds import DEFAULTS
from tests.waiting import wait_for
from webapp.enums import Scope
from webapp.processes import processes_running
from webapp.scoring import ScoringDown, ask
from webapp.services.tokens import token_create


@pytest.fixture
def scoring(worker_environment: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Popen[bytes]]:
    log = tmp_path / "scoring.log"
    with processes_running(("scoring",), worker_environment, log) as (process,):
        try:
            wait_for(lambda: process.poll() is not None or is_up(), what="the scoring process to answer")
            yield process
        finally:
            request.node.add_report_section("teardown", "scoring", log.read_text(errors="replace"))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def is_up() -> bool:
    with suppress(ScoringDown):
        question("films")
        return True
    return False


def question(model: str, **more: Any) -> Any:
    return ask({"kind": "user", "model": model, "user": "a"} | DEFAULTS | more)


@pytest.fixture
def headers(user: User) -> Callable[..., dict[str, str]]:
    """Makes the headers of a new token with the scopes named."""

    def make(*scopes: Scope) -> dict[str, str]:
        _, secret = token_create(owner=user, name="test", scopes=scopes or (Scope.RECOMMEND,))
        return {"Authorization": f"Bearer {secret}"}

    return make
