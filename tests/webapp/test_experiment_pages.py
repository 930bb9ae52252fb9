"""The pages of feedback and experiments, and what they show to copy, run as it is."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries
from pytest_django.live_server_helper import LiveServer

from tests.webapp.calling import Program
from tests.webapp.test_experiments import told
from tests.webapp.test_feedback import event, searched, send, table
from tests.webapp.test_model_services import bundle_file
from webapp.embedded import BASE_DIR
from webapp.enums import Scope
from webapp.models import Dataset, Experiment, FeedbackEvent, Model
from webapp.selectors.models import promoted_version
from webapp.services.experiments import experiment_start
from webapp.services.models import model_import, model_promote
from webapp.services.tokens import token_create

pytestmark = pytest.mark.django_db


@pytest.fixture
def model() -> Model:
    versions = [model_import(owner=None, file=bundle_file(seed)) for seed in range(2)]
    model_promote(owner=None, version_id=versions[0].pk)
    return versions[0].model


def text_of(response: Any) -> str:
    body = response.content.decode().partition("<main")[2]
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", body).split()))


def test_feedback_is_counted_and_made_a_version_of_the_dataset(
    signed_in: Client, user: User, model: Model, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    address = reverse("model_feedback", args=["films"])
    assert "Nothing came back yet" in text_of(signed_in.get(address))
    searched(model, table(0, 1))
    send(Program(user), event("e1"), event("e2", kind="purchase"), event("e3", kind="impression"))
    with django_assert_max_num_queries(10):
        text = text_of(signed_in.get(address))
    assert "Impression 1 1 Click 1 1 Purchase 1 1" in text
    assert "Make the next version from up to 2 events" in text
    assert "Tick at least one" in text_of(signed_in.post(address, {}))
    made = signed_in.post(address, {"kinds": ["click", "purchase"]})
    dataset = Dataset.objects.get(version=2)
    assert (made.status_code, made.headers["Location"]) == (302, reverse("dataset", args=[dataset.pk]))
    assert FeedbackEvent.objects.filter(dataset=dataset).count() == 2
    assert "No event of these kinds waits" not in text_of(signed_in.get(address))
    again = text_of(signed_in.post(address, {"kinds": ["click"]}))
    assert "is there but not ready" in again


def test_an_experiment_is_started_judged_and_ended(
    signed_in: Client, model: Model, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    address = reverse("model_experiments", args=["films"])
    assert "Version 1 is promoted" in text_of(signed_in.get(address))
    assert "less than or equal to 99" in text_of(signed_in.post(address, {"version": "2", "percent": "100"}))
    assert "valid choice" in text_of(signed_in.post(address, {"version": "1", "percent": "50"}))
    begun = signed_in.post(address, {"version": "2", "percent": "50"})
    experiment = Experiment.objects.select_related("control", "treatment", "model").get()
    page = reverse("model_experiment", args=["films", experiment.pk])
    assert begun.headers["Location"] == page
    assert "No rates yet" in text_of(signed_in.get(page))
    assert "runs already" in text_of(signed_in.get(address))
    for number in range(10):
        told(experiment, experiment.control, f"c{number}", "impression", *(["click"] if number < 3 else []))
        told(experiment, experiment.treatment, f"t{number}", "impression", *(["click"] if number < 9 else []))
    with django_assert_max_num_queries(12):
        text = text_of(signed_in.get(page))
    assert "30.00 % (10.78 % – 60.32 %) 90.00 % (59.58 % – 98.21 %) 60.00 % (17.05 % – 80.90 %) Version 2 is ahead" in text
    assert "Users who purchased 0.00 % (0.00 % – 27.75 %) 0.00 % (0.00 % – 27.75 %) 0.00 % (−27.75 % – 27.75 %) Not separable" in text
    signed_in.post(reverse("model_experiment_end", args=["films", experiment.pk]), {"promote": "2"})
    assert promoted_version("films").number == 2  # type: ignore[union-attr]
    assert "Ended" in text_of(signed_in.get(page))
    assert signed_in.get(reverse("model_experiment", args=["films", 999])).status_code == 404


def test_feedback_that_is_lost_is_no_verdict(signed_in: Client, model: Model) -> None:
    experiment = experiment_start(owner=None, model_id=model.pk, number=2, percent=50)
    for number in range(100):
        told(experiment, experiment.control, f"c{number}", "impression")
    for number in range(40):
        told(experiment, experiment.treatment, f"t{number}", "impression", "click")
    text = text_of(signed_in.get(reverse("model_experiment", args=["films", experiment.pk])))
    assert "not divided as planned" in text
    assert text.count("Not comparable") == 2
    assert "is ahead" not in text


def test_the_pages_are_for_people_who_signed_in(client: Client, model: Model) -> None:
    for name in ("model_feedback", "model_experiments"):
        assert client.get(reverse(name, args=["films"])).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_what_is_shown_to_copy_works(signed_in: Client, user: User, live_server: LiveServer) -> None:
    model_promote(owner=None, version_id=model_import(owner=None, file=bundle_file()).pk)
    host = live_server.url.removeprefix("http://")
    page = signed_in.get(reverse("model_feedback", args=["films"]), headers={"Host": host}).content.decode()
    curl, python = (html.unescape(text) for text in re.findall(r'<pre class="code"[^>]*>(.*?)</pre>', page, re.DOTALL))
    _, secret = token_create(owner=user, name="test", scopes=[Scope.FEEDBACK])

    def run(*command: str) -> str:
        environment = os.environ | {"RECSMITH_TOKEN": secret}
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60).stdout

    assert json.loads(run("bash", "-c", curl))["events"][0]["version"] == 1
    assert "'version': 1" in run(sys.executable, "-c", python)
    section = (BASE_DIR / "README.md").read_text().partition("\n### Learn from what became of it\n")[2]
    readme = section.partition("```bash\n")[2].partition("```")[0].replace("http://127.0.0.1:8000", live_server.url)
    assert json.loads(run("bash", "-c", readme))["events"][0]["id"] == "order-1-item-7"
    assert sorted(FeedbackEvent.objects.values_list("kind", flat=True)) == ["click", "click", "click", "impression"]


def test_a_wish_to_promote_another_version_does_not_end_the_experiment(signed_in: Client, model: Model) -> None:
    experiment = experiment_start(owner=None, model_id=model.pk, number=2, percent=50)
    address = reverse("model_experiment_end", args=["films", experiment.pk])
    for promote in ("3", "two", "9" * 5000, "\u0662"):
        said = signed_in.post(address, {"promote": promote}, follow=True)
        assert "does not compare a version" in text_of(said)
    experiment.refresh_from_db()
    assert experiment.ended_at is None
