"""A finalist taken out, as a person does it: register, built by a worker, promote, try, ask from a program, import elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from gnn.protocol import Protocol
from tests.toy_dataset import toy_dataset
from tests.waiting import wait_for
from tests.webapp.factories import make_baseline, make_finalist, make_search, make_trials
from webapp.enums import SearchState
from webapp.models import Model, ModelVersion, Search
from webapp.processes import processes_running
from webapp.scoring import ScoringDown, ask

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]

PASSWORD = "correct horse battery staple"


@pytest.fixture
def search(worker_environment: dict[str, str]) -> Search:
    """A finished search with one tested finalist; the numbers are made up, the data and the architecture are not."""
    protocol = Protocol(max_epochs=3, patience=3)
    search = make_search(
        name="Toy search", dataset=toy_dataset(), protocol=protocol, state=SearchState.FINISHED, message="PPO's best wins."
    )
    (best,) = make_trials(search, [0.3])
    make_finalist(best, [0.28, 0.29])
    make_baseline(search, "ease", 0.25)
    return search


def scoring_is_up() -> bool:
    try:
        ask({"kind": "user", "model": "none", "user": "a"})
    except ScoringDown:
        return False
    return True


def test_from_a_finalist_to_an_answer(search: Search, page: Page, worker_environment: dict[str, str], tmp_path: Path) -> None:
    User.objects.create_user("ada", password=PASSWORD)
    page.goto("/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/$"))

    # Register, and wait while a worker builds it: the page shows the model by itself.
    page.goto(f"/searches/{search.pk}/trials/1/register/")
    page.get_by_label("Name", exact=True).fill("films")
    page.get_by_role("button", name="Register").click()
    expect(page).to_have_url(re.compile(r"/models/films/1/$"))
    expect(page.locator("h1 .badge")).to_have_text("Ready", timeout=60_000)
    version = ModelVersion.objects.get()
    assert version.build.worker, "a worker process built it"
    assert version.build.attempt == 1
    expect(page.get_by_text(version.digest)).to_be_visible()

    page.get_by_text("The architecture for PyTorch Geometric").click()
    expect(page.get_by_text("class Recommender(nn.Module):")).to_be_visible()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download bundle").click()
    bundle = tmp_path / "films-1.zip"
    downloading.value.save_as(bundle)

    with processes_running(("scoring",), worker_environment, tmp_path / "scoring.log"):
        wait_for(scoring_is_up, what="the scoring process to answer")
        page.get_by_role("button", name="Promote").click()
        expect(page.locator("h1 .badge")).to_have_text("Promoted")

        def served() -> bool:
            page.goto("/models/films/try/?user=u7")
            return page.get_by_role("heading", name="Recommended").is_visible()

        wait_for(served, what="the promoted version to be served")
        shown = page.locator("section", has=page.get_by_role("heading", name="Recommended")).get_by_role("listitem")
        first = shown.first.inner_text().split()[0]

        page.goto("/account/tokens/")
        page.get_by_label("Name", exact=True).fill("shop")
        page.get_by_label("Ask models for recommendations").check()
        page.get_by_role("button", name=re.compile("Make|Create|New")).click()
        secret = page.get_by_label("Secret of the new token").input_value()
        answer = page.request.get("/api/v1/models/films/recommend?user=u7&k=10", headers={"Authorization": f"Bearer {secret}"})
        assert answer.status == 200
        body = answer.json()
        assert (body["version"], len(body["items"]), body["items"][0]["item"]) == (1, 10, first)

    # On another installation the bundle becomes the same model.
    Model.objects.all().delete()
    page.goto("/models/")
    page.get_by_text("Import a bundle", exact=True).click()
    page.get_by_label("Bundle").set_input_files(bundle)
    page.get_by_role("button", name="Import").click()
    expect(page).to_have_url(re.compile(r"/models/films/1/$"))
    expect(page.get_by_text(version.digest)).to_be_visible()
    assert ModelVersion.objects.get().digest == version.digest
