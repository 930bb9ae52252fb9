"""The requests that README shows, sent by curl to a real server."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django.live_server_helper import LiveServer

from tests.toy_dataset import toy_csv
from webapp.embedded import BASE_DIR
from webapp.enums import Scope
from webapp.models import Search
from webapp.services.datasets import dataset_ingest
from webapp.services.tokens import token_create


def examples() -> list[str]:
    section = (BASE_DIR / "README.md").read_text().partition("\n### Let programs do it\n")[2]
    [block] = re.findall(r"```bash\n(.*?)```", section.partition("\n### ")[0], re.DOTALL)
    return [line for line in block.splitlines() if line.startswith("curl ")]


@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_the_examples_of_readme_work_in_their_order(live_server: LiveServer, tmp_path: Path) -> None:
    _, secret = token_create(owner=User.objects.create_user("ada"), name="readme", scopes=[Scope.READ, Scope.WRITE])
    (tmp_path / "clicks.csv").write_bytes(toy_csv())
    environment = os.environ | {"API": f"{live_server.url}/api/v1", "AUTH": f"Authorization: Bearer {secret}"}
    answers: list[Any] = []
    for line in examples():
        run = subprocess.run(["bash", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, (line, run.stderr, run.stdout)
        answers.append(json.loads(run.stdout))
        if line.endswith("/mapping"):
            dataset_ingest(dataset_id=1)  # what a worker does meanwhile
    uploaded, detected, reading, dataset, search, live, leaderboard, trials, paused = answers
    assert (uploaded["name"], uploaded["state"], reading["state"]) == ("Clicks", "uploaded", "ingesting")
    assert detected["mapping"]["columns"] == {"user": 0, "item": 1, "weight": 2, "timestamp": 3}
    assert dataset["state"] == "ready" and dataset["interactions"] == toy_csv().count(b"\n") - 1
    assert search["planned_trials"] == 20 and search["dataset"] == dataset["id"]
    assert live["cursor"] == 0 and leaderboard["rows"] == [] and trials == {"items": [], "next": None}
    assert paused["state"] == Search.objects.get().state == "paused"
