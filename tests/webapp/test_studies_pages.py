"""A search out of one browser and into another."""

from __future__ import annotations

import uuid

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from gnn.catalogue import preset_space
from gnn.protocol import Protocol
from gnn.space import Architecture
from tests.toy_dataset import toy_dataset
from webapp.enums import RunState
from webapp.models import Dataset, Search, Trial
from webapp.services.searches import search_start

pytestmark = pytest.mark.django_db


@pytest.fixture
def search() -> Search:
    return search_start(
        owner=None, name="Films & more", dataset=toy_dataset(), space=preset_space("demo"), protocol=Protocol(), controller="ppo",
        planned_trials=5, workers=1, seed=1, start_token=uuid.uuid4(),
    )  # fmt: skip


def downloaded(client: Client, search: Search) -> bytes:
    answer = client.get(reverse("study_download", args=[search.pk]))
    assert answer["Content-Disposition"] == f'attachment; filename="films-more-{search.pk}-study.zip"'
    return b"".join(answer.streaming_content)  # type: ignore[arg-type]


def sent(client: Client, content: bytes) -> HttpResponse:
    return client.post(reverse("study_import"), {"file": SimpleUploadedFile("study.zip", content)})  # type: ignore[return-value]


def test_a_study_goes_out_and_in(signed_in: Client, user: User, search: Search) -> None:
    architecture: Architecture = preset_space("demo").sample(np.random.default_rng(0))
    Trial.objects.create(
        search=search, number=1, architecture=architecture.to_json(), key=architecture.key, seed=1, state=RunState.RUNNING, epochs=3
    )
    content = downloaded(signed_in, search)
    search.delete()
    answer = sent(signed_in, content)
    imported = Search.objects.get()
    assert answer["Location"] == reverse("search", args=[imported.pk])
    assert (imported.owner, imported.trials.get().state) == (user, RunState.QUEUED)
    page = signed_in.get(answer["Location"]).content.decode()
    assert "The study is this search." in page
    assert "Resume" in page


def test_without_its_data_every_page_of_a_search_can_be_read(signed_in: Client, search: Search) -> None:
    sha256 = search.dataset.data_blob
    content = downloaded(signed_in, search)
    dataset_id = search.dataset_id
    search.delete()
    Dataset.objects.filter(pk=dataset_id).delete()
    imported_at = sent(signed_in, content)["Location"]
    page = signed_in.get(imported_at).content.decode()
    assert page.count(sha256) >= 2, "beside the search, and as a message"
    imported = Search.objects.get()
    answer = signed_in.post(reverse("search_action", args=[imported.pk, "resume"]), follow=True)
    assert "That data is not here" in answer.content.decode()
    imported.refresh_from_db()
    assert imported.state == "paused"
    for url in (
        reverse("searches"),
        reverse("search_trials", args=[imported.pk]),
        reverse("search_results", args=[imported.pk]),
        reverse("search_arms", args=[imported.pk]),
        reverse("search_extend", args=[imported.pk]),
        reverse("search_enqueue", args=[imported.pk]),
        reverse("datasets"),
        reverse("dataset", args=[imported.dataset_id]),
        reverse("dataset_mapping", args=[imported.dataset_id]),
        reverse("search_new") + f"?clone={imported.pk}",
    ):
        assert signed_in.get(url).status_code == 200, url


def test_what_is_no_study_is_refused_beside_the_field(signed_in: Client) -> None:
    for content, message in ((b"", "not a zip file"), (b"PK\x03\x04" + bytes(50), "damaged or not complete")):
        answer = sent(signed_in, content)
        assert answer.status_code == 422
        assert message in answer.content.decode()
    assert "Choose a file." in signed_in.post(reverse("study_import")).content.decode()
    assert signed_in.get("/searches/99/study.zip").status_code == 404


def test_a_study_larger_than_the_limit_is_not_kept(signed_in: Client, settings: object) -> None:
    settings.RECSMITH_UPLOAD_LIMIT_MB = 1  # type: ignore[attr-defined]
    answer = sent(signed_in, bytes(2_100_000))
    assert answer.status_code == 413
    assert "larger than 1 MB, the limit of this server" in answer.content.decode()


def test_studies_from_a_shell(search: Search, tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
    file = f"{tmp_path}/study.zip"
    call_command("search_export", str(search.pk), "--out", file)
    assert capsys.readouterr().out == f"{file}\n"
    with pytest.raises(CommandError, match="cannot be written: File exists"):
        call_command("search_export", str(search.pk), "--out", file)
    dataset_id = search.dataset_id
    search.delete()
    call_command("search_import", file)
    assert capsys.readouterr().out == f"{Search.objects.get().pk}\n"
    Search.objects.all().delete()
    Dataset.objects.filter(pk=dataset_id).delete()
    call_command("search_import", file)
    said = capsys.readouterr()
    assert "That data is not here" in said.err
    assert said.out == f"{Search.objects.get().pk}\n"
    with pytest.raises(CommandError, match="There is no search 999"):
        call_command("search_export", "999", "--out", f"{tmp_path}/other.zip")
    with pytest.raises(CommandError, match="cannot be opened"):
        call_command("search_import", f"{tmp_path}/other.zip")


def test_studies_ask_for_a_login(client: Client, search: Search) -> None:
    for url in (reverse("study_import"), reverse("study_download", args=[search.pk])):
        assert client.get(url)["Location"].startswith(reverse("login"))
