"""Every bad file of the corpus on the way it takes in the browser: upload, columns, reading, page."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from gnn.sources.rejects import REASONS
from tests.nasty_files import GOOD, HEADER, N_GOOD, NASTY, Nasty
from tests.webapp.uploading import begin, patch, send
from webapp.enums import DatasetState
from webapp.forms.dataset_mapping import FormatForm
from webapp.models import Blob, Dataset, Upload
from webapp.queue import app
from webapp.selectors.datasets import dataset_interactions
from webapp.services.datasets import dataset_ingest
from webapp.services.uploads import CHUNK_BYTES

COLUMNS = {"user": 0, "item": 1, "weight": 2, "timestamp": 3}


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test reads the dataset itself, as the task would."""
    monkeypatch.setattr(app, "send_task", lambda *args, **options: None)


def confirm(client: Client, url: str) -> Dataset:
    """Read a file with the columns that a person chooses: the first four, or where there are fewer, those guessed."""
    page = client.get(url)
    assert page.status_code == 200
    roles = page.context["roles"]
    chosen = {name: roles.get_initial_for_field(field, name) or "" for name, field in roles.fields.items()}
    if len(page.context["detected"].columns) >= len(COLUMNS):
        chosen |= {f"role_{at}": role for role, at in COLUMNS.items()}
    answer = client.post(url, FormatForm.values(page.context["detected"]) | chosen)
    assert answer.status_code == 302, answer.content.decode()
    dataset = Dataset.objects.latest("pk")
    assert dataset.state == DatasetState.INGESTING
    return dataset_ingest(dataset_id=dataset.pk)


@pytest.mark.parametrize("nasty", NASTY, ids=str)
def test_a_bad_file_is_explained_or_every_row_of_it_is_accounted_for(nasty: Nasty, signed_in: Client, settings: Any) -> None:
    if nasty.name == "decompression bomb":
        settings.RECSMITH_DECOMPRESS_LIMIT_MB = 1
    answer = send(signed_in, nasty.content, nasty.filename)
    if nasty.refused:
        assert answer.status_code == 422
        assert nasty.refused in answer.json()["error"]
        assert (Upload.objects.count(), Dataset.objects.count(), Blob.objects.count()) == (0, 0, 0)
        return
    assert answer.status_code == 201, answer.content
    columns = signed_in.get(answer.json()["url"]).content.decode()
    dataset = confirm(signed_in, answer.json()["url"])
    page = signed_in.get(reverse("dataset", args=[dataset.pk]))
    assert page.status_code == 200
    text = page.content.decode()
    for part in nasty.shown:
        assert part in text or part in columns, (dataset.state, dataset.message, dataset.profile.get("rejects"))
    if nasty.invalid:
        assert dataset.state == DatasetState.INVALID
        assert nasty.invalid in dataset.message
        assert escape(dataset.message) in text
        assert not dataset.data_blob
        assert signed_in.get(answer.json()["url"]).status_code == 200  # where the columns can be corrected
        return
    assert dataset.state == DatasetState.READY, dataset.message
    account = dataset.profile["rejects"]
    counts = {reason["reason"]: reason["count"] for reason in account["reasons"]}
    assert counts == nasty.rejected
    assert account["rows_kept"] == N_GOOD + nasty.kept == len(dataset_interactions(dataset))
    assert account["rows_read"] == account["rows_kept"] + sum(counts.values())
    if counts:
        logged = b"".join(signed_in.get(reverse("dataset_rejects", args=[dataset.pk])).streaming_content)  # type: ignore[attr-defined]
        rows = list(csv.reader(io.StringIO(logged.decode())))[1:]
        assert [row[2] for row in rows] == [REASONS[reason] for reason, n in nasty.rejected.items() for _ in range(n)]
        assert not any(cell.startswith("=") for row in rows for cell in row)


def test_a_file_that_grows_while_it_is_sent_leaves_nothing(signed_in: Client) -> None:
    content = HEADER + GOOD
    made = begin(signed_in, content).json()
    answer = patch(signed_in, made["url"], 0, content + b"u1,i1,5,1\n")
    assert (answer.status_code, answer.json()["error"].split(":")[0]) == (422, "toy.csv changed while it was sent")
    assert (Upload.objects.count(), Blob.objects.count()) == (0, 0)
    assert signed_in.post(made["finish"]).status_code == 404


def test_two_uploads_of_the_same_file_chunk_by_chunk_both_become_ready(signed_in: Client) -> None:
    content = HEADER + GOOD * (2 * CHUNK_BYTES // len(GOOD))
    both = [begin(signed_in, content).json() for _ in range(2)]
    for at in range(0, len(content), CHUNK_BYTES):
        for made in both:
            assert patch(signed_in, made["url"], at, content[at : at + CHUNK_BYTES]).status_code == 200
    datasets = [confirm(signed_in, signed_in.post(made["finish"]).json()["url"]) for made in both]
    assert [dataset.state for dataset in datasets] == [DatasetState.READY] * 2
    assert [dataset.profile["rejects"]["rows_kept"] for dataset in datasets] == [content.count(b"\n") - 1] * 2
    assert datasets[0].source_blob == datasets[1].source_blob
    with default_storage.open(datasets[1].source_blob) as file:
        assert file.read() == content
