"""Importing a bundle in the browser: the page is that of the original, and what is no bundle is refused with its reason."""

from __future__ import annotations

import io
import pickle
import re
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from gnn.bundle.members import MANIFEST
from tests.webapp.test_model_services import bundle_file
from webapp.models import Blob, Model, ModelVersion
from webapp.services.models import model_import

pytestmark = pytest.mark.django_db


def sent(client: Client, content: bytes, name: str = "") -> HttpResponse:
    file = SimpleUploadedFile("films.zip", content, content_type="application/zip")
    return client.post(reverse("models"), {"file": file, "name": name})  # type: ignore[return-value]


def page(client: Client, name: str = "films") -> str:
    html = client.get(reverse("model_version", args=[name, 1])).content.decode().partition("<main")[2]
    return re.sub(r'(<time .*?</time>|name="csrfmiddlewaretoken" value="\w+")', "", html)


def test_a_bundle_sent_by_a_browser_has_the_page_of_the_original(signed_in: Client, user: User) -> None:
    original = model_import(owner=user, file=bundle_file())
    before = page(signed_in)
    download = signed_in.get(reverse("model_download", args=["films", 1]))
    content = b"".join(download.streaming_content)  # type: ignore[arg-type]
    Model.objects.all().delete()
    answer = sent(signed_in, content)
    assert answer["Location"] == reverse("model_version", args=["films", 1])
    assert "The bundle is version 1 of films." in page(signed_in)
    assert page(signed_in) == before
    version = ModelVersion.objects.get()
    assert (version.digest, version.owner) == (original.digest, user)
    assert sent(signed_in, content)["Location"] == answer["Location"]
    assert ModelVersion.objects.count() == 1, "what is there already is not kept twice"


def test_a_bundle_may_become_another_model(signed_in: Client) -> None:
    assert sent(signed_in, bundle_file().getvalue(), name="cinema")["Location"] == reverse("model_version", args=["cinema", 1])


def rewritten(change: Callable[[dict[str, bytes]], None]) -> bytes:
    """A bundle whose members somebody changed."""
    with zipfile.ZipFile(bundle_file()) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def newer(members: dict[str, bytes]) -> None:
    members[MANIFEST] = re.sub(rb'"schema": \d+', b'"schema": 99', members[MANIFEST])


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "a pickle": (lambda: pickle.dumps({"users": [1]}), "not a zip file"),
    "an empty file": (lambda: b"", "not a zip file"),
    "a zip bomb": (lambda: rewritten(lambda members: members.update({"MODEL_CARD.md": bytes(60_000_000)})), "has 60,000,000 bytes"),
    "a way out of the folder": (lambda: rewritten(lambda members: members.update({"../evil.py": b"x"})), "outside its folder"),
    "a changed document": (lambda: rewritten(lambda members: members.update({"model.json": b"{}"})), "the manifest says"),
    "a truncated file": (lambda: bundle_file().getvalue()[:-300], "Copy the bundle again"),
    "a newer bundle": (lambda: rewritten(newer), "Use a newer Recsmith"),
    "another zip file": (lambda: rewritten(lambda members: members.pop(MANIFEST) and None), "it has no manifest.json"),
    "a pickle by another name": (
        lambda: rewritten(lambda members: members.update({"model.safetensors": pickle.dumps([1])})),
        "model.safetensors has",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_bundle_is_refused_beside_the_field(signed_in: Client, case: str) -> None:
    make, message = REFUSED[case]
    answer = sent(signed_in, make())
    assert answer.status_code == 422
    (error,) = re.findall(r'<ul class="errorlist"[^>]*>(.*?)</ul>', answer.content.decode(), flags=re.DOTALL)
    assert message in error
    assert '<details class="panel" id="import" open>' in answer.content.decode()
    assert not Model.objects.exists()
    assert not Blob.objects.exists()


def test_a_form_without_a_file_or_with_a_bad_name_says_so(signed_in: Client) -> None:
    answer = signed_in.post(reverse("models"), {"name": "two words"})
    assert answer.status_code == 422
    assert "Choose a file." in answer.content.decode()
    assert "Enter a valid" in answer.content.decode()


def test_a_bundle_larger_than_the_limit_is_not_kept(signed_in: Client, settings: Any) -> None:
    settings.RECSMITH_UPLOAD_LIMIT_MB = 1
    answer = sent(signed_in, bytes(2_100_000))
    assert answer.status_code == 413
    assert "larger than 1 MB, the limit of this server" in answer.content.decode()


def test_the_list_takes_as_many_queries_for_one_model_as_for_many(
    signed_in: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(8):
        model_import(owner=None, file=bundle_file(number), name=f"films-{number}")
    with django_assert_max_num_queries(9):
        signed_in.get(reverse("models"))


def test_an_import_asks_for_a_login(client: Client) -> None:
    assert sent(client, bundle_file().getvalue())["Location"].startswith(reverse("login"))
    assert not Model.objects.exists()
