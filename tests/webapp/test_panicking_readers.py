"""A panic of polars, which is no Exception, on every way that a file takes: a message and a state that can be left, no 500."""

from __future__ import annotations

from typing import Any, NoReturn

import polars as pl
import pytest
from django.test import Client
from django.urls import reverse

from gnn.preparation import Preparation
from gnn.sources import Mapping
from tests.toy_dataset import toy_csv
from tests.webapp.uploading import send
from webapp.blobs import bytes_file
from webapp.enums import DatasetState, PreviewState
from webapp.models import Dataset, PreparationPreview, Upload
from webapp.queue import app
from webapp.services.datasets import dataset_confirm, dataset_ingest, dataset_upload
from webapp.services.previews import preview_ask, preview_compute

pytestmark = pytest.mark.django_db

MAPPING = Mapping(delimiter=",", has_header=True, columns={"user": 0, "item": 1})
TOLD = "Something in toy.csv breaks the table library (invalid or out-of-range datetime)"


def panic(*_: Any, **__: Any) -> NoReturn:
    pl.Series([2**62]).cast(pl.Datetime("ms")).dt.strftime("%Y")
    raise AssertionError("polars no longer panics at this")


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "send_task", lambda *args, **options: None)


def stored() -> Dataset:
    return dataset_upload(owner=None, name="", filename="toy.csv", file=bytes_file(toy_csv()))


def test_what_panics_is_no_exception() -> None:
    with pytest.raises(BaseException, match="out-of-range datetime") as caught:
        panic()
    assert not isinstance(caught.value, Exception)


@pytest.mark.parametrize("place", ["gnn.sources.reading.parse", "webapp.services.ingestion.profile"])
def test_a_dataset_becomes_invalid_and_can_be_read_again(place: str, signed_in: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = dataset_confirm(dataset_id=stored().pk, mapping=MAPPING)
    with monkeypatch.context() as patch:
        patch.setattr(place, panic)
        dataset = dataset_ingest(dataset_id=dataset.pk)
    assert (dataset.state, dataset.message.startswith(TOLD)) == (DatasetState.INVALID, True)
    assert TOLD in signed_in.get(reverse("dataset", args=[dataset.pk])).content.decode()
    dataset_confirm(dataset_id=dataset.pk, mapping=MAPPING)
    assert dataset_ingest(dataset_id=dataset.pk).state == DatasetState.READY


@pytest.mark.parametrize("place", ["gnn.sources.reading.parse", "webapp.services.previews.prepare"])
def test_a_preview_fails_with_the_reason(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = stored()
    preview_ask(dataset_id=dataset.pk, mapping=MAPPING, preparation=Preparation())
    monkeypatch.setattr(place, panic)
    preview_compute(dataset_id=dataset.pk)
    preview = PreparationPreview.objects.get()
    assert (preview.state, preview.message.startswith(TOLD)) == (PreviewState.FAILED, True)


def test_an_upload_is_refused_and_leaves_nothing(signed_in: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnn.sources.detection.guess_roles", panic)
    answer = send(signed_in, toy_csv())
    assert (answer.status_code, answer.json()["error"].startswith(TOLD)) == (422, True)
    assert (Upload.objects.count(), Dataset.objects.count()) == (0, 0)


def test_the_page_of_columns_tells_it(signed_in: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = stored()
    monkeypatch.setattr("gnn.sources.detection.guess_roles", panic)
    page = signed_in.get(reverse("dataset_mapping", args=[dataset.pk]))
    assert (page.status_code, TOLD in page.content.decode()) == (200, True)
