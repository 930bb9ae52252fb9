"""The page that tries a model, and what it shows to copy, run as it is."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from subprocess import Popen

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.live_server_helper import LiveServer

from serving.neighbours import nearest_items
from tests.serving.conftest import question
from tests.serving.worlds import make_served, told
from tests.waiting import wait_for
from tests.webapp.test_model_services import bundle_file
from webapp.services.models import model_import, model_promote


def test_nearest_items_by_matrices() -> None:
    model = make_served().model
    matrix = np.zeros((len(model.users), len(model.items)))
    for code in range(len(model.users)):
        matrix[code, model.seen(code)] = 1
    lengths = np.maximum(np.linalg.norm(matrix, axis=0), 1)
    cosines = matrix.T @ matrix / np.outer(lengths, lengths)
    for code in range(len(model.users)):
        scores = nearest_items(model.tensors["seen_indptr"], model.tensors["seen_items"], len(model.items), model.seen(code))
        np.testing.assert_allclose(scores, cosines @ matrix[code], atol=1e-12)
    beside = told(make_served(), "neighbours", user="u2", k=5)["items"]
    expected = np.where(matrix[2] > 0, -np.inf, cosines @ matrix[2])
    assert [item["item"] for item in beside] == [f"i{code}" for code in np.argsort(-expected, kind="stable")[:5]]
    near = {f"i{code}" for code in np.flatnonzero(expected > 0)}
    assert {item["item"] for item in told(make_served(), "neighbours", user="u2", k=1000)["items"]} == near
    assert told(make_served(), "neighbours", user="nobody")["items"] == []


def text_of(client: Client, **query: str) -> str:
    response = client.get(reverse("model_try", args=["films"]), query)
    body = response.content.decode().partition("<main")[2]
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", body).split()))


@contextmanager
def served() -> Iterator[None]:
    model_promote(owner=None, version_id=model_import(owner=None, file=bundle_file()).pk)
    wait_for(lambda: question("films").status == 200, what="the model to be served")
    yield


@pytest.mark.slow
def test_the_page_shows_history_list_reasons_and_baseline(signed_in: Client, scoring: Popen[bytes]) -> None:
    with served():
        text = text_of(signed_in)
        best = json.loads(question("films", k=10).body)["items"]
        assert "Answers come from the promoted version, 1" in text
        assert "History 2 items i0 i1" in text
        places = [text.index(f"{item['item']} {item['score']:.3f}") for item in best]
        assert places == sorted(places)
        assert "Nearest items, a baseline" in text
        assert "Most popular" in text_of(signed_in, user="<nobody>")
        assert "does not know this user" in text_of(signed_in, user="<nobody>")
        assert "History 2 items i3 i4" in text_of(signed_in, user=" c ", diversity="much")
        assert "Recommended" in text_of(signed_in, user="c", diversity="of nonsense")


def test_without_a_promoted_version_or_a_process_it_says_so(signed_in: Client, transactional_db: None) -> None:
    version = model_import(owner=None, file=bundle_file())
    assert "No version of this model is promoted" in text_of(signed_in)
    model_promote(owner=None, version_id=version.pk)
    assert "The scoring process does not answer" in text_of(signed_in)
    assert signed_in.get(reverse("model_try", args=["films"])).status_code == 503
    assert signed_in.get(reverse("model_try", args=["other"])).status_code == 404


@pytest.mark.slow
def test_what_is_shown_to_copy_works(
    signed_in: Client, scoring: Popen[bytes], live_server: LiveServer, headers: Callable[..., dict[str, str]]
) -> None:
    with served():
        host = live_server.url.removeprefix("http://")
        page = signed_in.get(reverse("model_try", args=["films"]), {"user": "a"}, headers={"Host": host}).content.decode()
        for_user, for_items, python = (html.unescape(text) for text in re.findall(r'<pre class="code"[^>]*>(.*?)</pre>', page, re.DOTALL))
        environment = os.environ | {"RECSMITH_TOKEN": headers()["Authorization"].removeprefix("Bearer ")}

        def run(*command: str) -> str:
            return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60).stdout

        expected = json.loads(question("films", k=10).body)["items"]
        assert json.loads(run("bash", "-c", for_user))["items"] == expected
        assert json.loads(run("bash", "-c", for_items))["source"] == "fold_in"
        assert run(sys.executable, "-c", python).split() == [str(part) for item in expected for part in (item["item"], item["score"])]
