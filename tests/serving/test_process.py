"""The scoring process itself: what it serves, what happens when versions change under load and when it dies."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from pathlib import Path
from subprocess import Popen

import numpy as np
import pytest
from django.conf import settings

from serving import lists
from serving.shelf import LOOK_EVERY
from tests.serving.conftest import is_up, question
from tests.waiting import wait_for
from tests.webapp.test_model_services import bundle_file
from webapp.embedded import home_folder
from webapp.models import ModelVersion
from webapp.processes import processes_running
from webapp.scoring import LENGTH, MAX_QUESTION, ScoringDown, scoring_address
from webapp.selectors.experiments import in_treatment
from webapp.services.experiments import experiment_start, experiment_stop
from webapp.services.models import model_import, model_promote, model_roll_back

pytestmark = pytest.mark.slow


def served_version() -> int | None:
    answer = question("films")
    return json.loads(answer.body)["version"] if answer.status == 200 else None


def wait_until_served(number: int) -> None:
    wait_for(lambda: served_version() == number, what=f"version {number} to be served")


def test_promotions_are_followed_without_a_failed_answer(scoring: Popen[bytes]) -> None:
    versions = [model_import(owner=None, file=bundle_file(seed)) for seed in range(3)]
    assert question("films").status == 404
    model_promote(owner=None, version_id=versions[0].pk)
    wait_until_served(1)
    failed, answered, enough = [], [], threading.Event()

    def keep_asking() -> None:
        while not enough.is_set():
            answer = question("films")
            (answered if answer.status == 200 else failed).append(answer)

    askers = [threading.Thread(target=keep_asking) for _ in range(3)]
    for asker in askers:
        asker.start()
    for version in versions[1:]:
        model_promote(owner=None, version_id=version.pk)
        wait_until_served(version.number)
    model_roll_back(model_id=versions[0].model_id)
    wait_until_served(2)
    enough.set()
    for asker in askers:
        asker.join()
    assert failed == []
    assert {json.loads(answer.body)["version"] for answer in answered} == {1, 2, 3}


def test_lists_are_ranked_in_the_background_and_change_no_answer(scoring: Popen[bytes]) -> None:
    version = model_import(owner=None, file=bundle_file())
    model_promote(owner=None, version_id=version.pk)
    wait_until_served(1)
    before = question("films", k=1)
    wait_for((home_folder() / "models" / version.digest / lists.FILE).is_file, what="the lists to be ranked")
    changed = np.load(home_folder() / "models" / version.digest / lists.FILE)
    assert changed["code"][0].tolist()[:5] == [int(item["item"][1:]) for item in json.loads(question("films", k=4).body)["items"]] + [-1]
    time.sleep(2 * LOOK_EVERY)
    assert question("films", k=1) == before


def test_experiments_are_followed_until_a_promotion_ends_them(scoring: Popen[bytes]) -> None:
    first, second = (model_import(owner=None, file=bundle_file(seed)) for seed in range(2))
    model_promote(owner=None, version_id=first.pk)
    wait_until_served(1)
    experiment = experiment_start(owner=None, model_id=first.model_id, number=2, percent=50)
    users = [f"user {number}" for number in range(20)]
    expected = [2 if in_treatment(experiment.salt, 50, user) else 1 for user in users]

    def versions() -> list[int]:
        return [json.loads(question("films", user=user).body)["version"] for user in users]

    wait_for(lambda: versions() == expected, what="each user to get the version of the experiment")
    experiment_stop(owner=None, experiment_id=experiment.pk)
    wait_for(lambda: set(versions()) == {1}, what="everybody to get the promoted version again")
    experiment_start(owner=None, model_id=first.model_id, number=2, percent=50)
    model_promote(owner=None, version_id=second.pk)
    wait_for(lambda: set(versions()) == {2}, what="everybody to get the version that was promoted")


def test_a_version_that_cannot_be_opened_leaves_the_one_before(scoring: Popen[bytes]) -> None:
    good, bad = (model_import(owner=None, file=bundle_file(seed)) for seed in range(2))
    model_promote(owner=None, version_id=good.pk)
    wait_until_served(1)
    ModelVersion.objects.filter(pk=bad.pk).update(digest="0" * 64)
    model_promote(owner=None, version_id=bad.pk)
    other = model_import(owner=None, file=bundle_file(2), name="other")
    model_promote(owner=None, version_id=other.pk)
    wait_for(lambda: question("other").status == 200, what="the other model to be served")
    assert served_version() == 1


def test_killed_it_is_down_and_started_again_it_serves(scoring: Popen[bytes], worker_environment: dict[str, str], tmp_path: Path) -> None:
    model_promote(owner=None, version_id=model_import(owner=None, file=bundle_file()).pk)
    wait_until_served(1)
    scoring.kill()
    scoring.wait()
    with pytest.raises(ScoringDown):
        question("films")
    with processes_running(("scoring",), worker_environment, tmp_path / "again.log") as (again,):
        wait_for(is_up, what="the scoring process to answer again")
        assert served_version() == 1  # from the first question on: it loads before it listens
        again.send_signal(signal.SIGTERM)
        assert again.wait(10) == 0


def test_nonsense_closes_or_fails_only_its_own_connection(scoring: Popen[bytes]) -> None:
    address = scoring_address()
    for content, expected in (
        (LENGTH.pack(MAX_QUESTION + 1), b""),
        (LENGTH.pack(4) + b"{{{{", b'"status": 500'),
        (LENGTH.pack(2) + b"{}", b'"status": 500'),
        (b"\0", None),
    ):
        with socket.socket(socket.AF_UNIX) as nonsense:
            nonsense.settimeout(10)
            nonsense.connect(address)
            nonsense.sendall(content)
            if expected is not None:
                received = nonsense.recv(10_000)
                assert expected in received and bool(received) == bool(expected)
            assert question("films").status == 404


def test_its_socket_is_closed_to_other_accounts(scoring: Popen[bytes]) -> None:
    assert Path(settings.RECSMITH_SCORING.removeprefix("unix:")).stat().st_mode & 0o777 == 0o600
