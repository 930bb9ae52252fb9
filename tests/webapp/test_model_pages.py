"""Pages of models: what they show, what their buttons do."""

from __future__ import annotations

import io
import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.webapp.factories import make_baseline, make_finalist, make_search, make_trials
from tests.webapp.test_model_services import bundle_file
from webapp.enums import Failure, ModelState, RunState, SearchState
from webapp.models import Model, ModelBuild, ModelVersion, Search
from webapp.services.models import model_import, model_promote

pytestmark = pytest.mark.django_db


@pytest.fixture
def version() -> ModelVersion:
    return model_import(owner=None, file=bundle_file())


@pytest.fixture
def search() -> Search:
    search = make_search(state=SearchState.FINISHED, message="PPO's best wins.")
    best, _ = make_trials(search, [0.3, 0.2])
    make_finalist(best, [0.28, 0.29])
    make_baseline(search, "ease", 0.25)
    return search


def text_of(client: Client, *url: object) -> str:
    """The visible text of a page on one line."""
    answer = client.get(reverse(str(url[0]), args=url[1:]))
    assert answer.status_code == 200
    body = answer.content.decode().partition("<main")[2]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_an_empty_list_says_how_models_come_about(signed_in: Client) -> None:
    assert "No model yet" in text_of(signed_in, "models")


def test_the_list_shows_the_promoted_and_the_newest_version(signed_in: Client, version: ModelVersion) -> None:
    newer = model_import(owner=None, file=bundle_file(1))
    model_promote(owner=None, version_id=version.pk)
    text = text_of(signed_in, "models")
    assert "films Version 1 Version 2 Ready 2 Films | of *all* kinds" in text
    assert newer.number == 2
    assert "No model fits this filter" in signed_in.get(reverse("models"), {"q": "zzz"}).content.decode()


def test_a_version_shows_all_that_its_document_says(signed_in: Client, version: ModelVersion) -> None:
    text = text_of(signed_in, "model_version", "films", 1)
    for part in (
        "films version 1 Ready",
        "Imported",
        "Test NDCG@20 0.3100",
        "95 % interval, 48 users 0.2900 – 0.3300",
        "This architecture 0.3100 ± 0.0100 0.3100 ± 0.0100 EASE 0.3100 0.3100",
        "It beats EASE.",
        "Trained on Training part",
        version.digest,
        "ab" * 32,
        "torch 2.13.0",
        "# Films A recommender",
        "model_export films/1",
    ):
        assert part in text
    assert "Roll back" not in text


def test_the_architecture_is_shown_and_sent_as_text_for_other_libraries(signed_in: Client, version: ModelVersion) -> None:
    text = text_of(signed_in, "model_version", "films", 1)
    assert "class Recommender(nn.Module):" in text
    assert "RecBole has no model whose layers are GCN and LightGCN" in text
    answer = signed_in.get(reverse("model_text", args=["films", 1, "pyg"]))
    assert answer["Content-Disposition"] == 'attachment; filename="architecture.py"'
    assert answer["Content-Type"].startswith("text/plain")
    compile(answer.content, "architecture.py", "exec")
    assert signed_in.get(reverse("model_text", args=["films", 1, "recbole"])).content.startswith(b"# d16")
    assert signed_in.get("/models/films/1/text/tensorflow/").status_code == 404
    assert signed_in.get("/models/films/7/text/pyg/").status_code == 404


def test_an_imported_model_has_the_page_that_it_had(signed_in: Client, version: ModelVersion) -> None:
    def page() -> str:
        html = signed_in.get(reverse("model_version", args=["films", 1])).content.decode().partition("<main")[2]
        return re.sub(r'(<time .*?</time>|name="csrfmiddlewaretoken" value="\w+")', "", html)

    before = page()
    bundle = signed_in.get(reverse("model_download", args=["films", 1]))
    assert bundle["Content-Disposition"] == 'attachment; filename="films-1.zip"'
    content = b"".join(bundle.streaming_content)  # type: ignore[arg-type]
    Model.objects.all().delete()
    model_import(owner=None, file=io.BytesIO(content))
    assert page() == before


def test_promote_roll_back_and_archive_by_their_buttons(signed_in: Client, user: User, version: ModelVersion) -> None:
    model_import(owner=None, file=bundle_file(1))
    for number in (1, 2):
        answer = signed_in.post(reverse("model_promote", args=["films", number]), follow=True)
        assert f"Version {number} is promoted." in answer.content.decode()
    assert version.promotions.get().owner == user
    assert "Roll back to version 1" in text_of(signed_in, "model_version", "films", 2)
    answer = signed_in.post(reverse("model_archive", args=["films", 2]), follow=True)
    assert "Promote another one first." in answer.content.decode()
    answer = signed_in.post(reverse("model_roll_back", args=["films"]), follow=True)
    assert "version 1 is promoted again" in answer.content.decode()
    answer = signed_in.post(reverse("model_roll_back", args=["films"]), follow=True)
    assert "none to go back to" in answer.content.decode()
    answer = signed_in.post(reverse("model_archive", args=["films", 2]), follow=True)
    assert "Version 2 is archived." in answer.content.decode()
    assert list(ModelVersion.objects.order_by("number").values_list("state", flat=True)) == [ModelState.PROMOTED, ModelState.ARCHIVED]


def test_a_finalist_is_registered_from_its_search(signed_in: Client, user: User, search: Search) -> None:
    results = signed_in.get(reverse("search", args=[search.pk])).content.decode()
    url = reverse("model_register", args=[search.pk, 1])
    assert results.count("register/") == 1
    assert f'href="{url}"' in results
    assert "on average over 2 seeds" in signed_in.get(url).content.decode()
    answer = signed_in.post(url, {"name": "two words", "trained_on": "all"})
    assert "Enter a valid" in answer.content.decode()
    answer = signed_in.post(url, {"name": "films", "trained_on": "everything"})
    assert "Select a valid choice" in answer.content.decode()
    assert not Model.objects.exists()
    answer = signed_in.post(url, {"name": "films", "trained_on": "all"})
    assert answer["Location"] == reverse("model_version", args=["films", 1])
    version = ModelVersion.objects.get()
    assert (version.owner, version.build.trained_on, version.build.planned_epochs) == (user, "all", 1)
    text = text_of(signed_in, "model_version", "films", 1)
    assert "Building" in text
    assert "It waits for a worker." in text
    assert "another begins again" in text
    assert "Download" not in text
    assert "Version 1 Building" in text_of(signed_in, "model", "films")
    assert "Version 1 Building" in text_of(signed_in, "models")
    assert signed_in.get(reverse("model_download", args=["films", 1])).status_code == 404


def test_a_page_that_waits_for_a_build_starts_over_when_it_ends(signed_in: Client, search: Search) -> None:
    signed_in.post(reverse("model_register", args=[search.pk, 1]), {"name": "films", "trained_on": "train"})
    url = reverse("model_version", args=["films", 1])
    assert signed_in.get(url, headers={"HX-Request": "true"}).status_code == 204
    ModelBuild.objects.update(state=RunState.FAILED, failure=Failure.DIVERGED, message="The loss became nan.")
    assert signed_in.get(url, headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    assert "Not built. The loss became nan." in text_of(signed_in, "model_version", "films", 1)
    assert "Version 1 Failed" in text_of(signed_in, "model", "films")


def test_a_trial_that_was_not_tested_cannot_be_registered(signed_in: Client, search: Search) -> None:
    answer = signed_in.post(reverse("model_register", args=[search.pk, 2]), {"name": "films", "trained_on": "train"})
    assert "was not tested as a finalist" in answer.content.decode()


def test_versions_of_different_data_are_said_not_to_compare(signed_in: Client, version: ModelVersion) -> None:
    newer = model_import(owner=None, file=bundle_file(1))
    assert "do not compare" not in text_of(signed_in, "model", "films")
    newer.document["data"]["sha256"] = "ef" * 32
    newer.save()
    assert "do not compare" in text_of(signed_in, "model", "films")


def test_pages_of_what_is_not_there(signed_in: Client, version: ModelVersion) -> None:
    for url in (
        "/models/nothing/",
        "/models/films/9/",
        "/models/films/99999999999999999999/",
        "/models/films/9/bundle.zip",
        "/searches/9/trials/1/register/",
    ):
        assert signed_in.get(url).status_code == 404
    assert signed_in.get(reverse("model_promote", args=["films", 1])).status_code == 405


def test_models_ask_for_a_login(client: Client, version: ModelVersion) -> None:
    for url in (reverse("models"), reverse("model_version", args=["films", 1]), reverse("model_download", args=["films", 1])):
        assert client.get(url)["Location"].startswith(reverse("login"))
