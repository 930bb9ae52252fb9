"""The best items of all users as a file: what is in it, who may ask for it, what goes wrong."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client
from django.urls import reverse

from searchworker import tasks
from tests.waiting import wait_for
from tests.webapp.test_model_services import bundle_file
from webapp import queue
from webapp.embedded import home_folder
from webapp.enums import BatchFormat, BatchState, ModelState
from webapp.models import Batch, ModelVersion
from webapp.selectors.models import bundle_opened
from webapp.services import reaper
from webapp.services.batches import LOST_MESSAGE, MAX_ATTEMPTS, batch_ask, batch_compute
from webapp.services.errors import Conflict
from webapp.services.models import model_import

pytestmark = pytest.mark.django_db


@pytest.fixture
def version() -> ModelVersion:
    return model_import(owner=None, file=bundle_file())


def ask(version: ModelVersion, k: int = 3, *, exclude_seen: bool = True, file_format: BatchFormat = BatchFormat.PARQUET) -> Batch:
    return batch_ask(owner=None, version_id=version.pk, k=k, exclude_seen=exclude_seen, file_format=file_format)


def table_of(batch: Batch) -> pl.DataFrame:
    batch.refresh_from_db()
    assert batch.state == BatchState.READY, batch.message
    with default_storage.open(batch.result_blob) as file:
        content = file.read()
    if batch.format == BatchFormat.PARQUET:
        return pl.read_parquet(io.BytesIO(content))
    return pl.read_csv(io.BytesIO(content), schema_overrides={"score": pl.Float32})


@pytest.mark.parametrize("file_format", BatchFormat)
@pytest.mark.parametrize(("k", "exclude_seen"), [(1, True), (3, False), (1000, True), (1000, False)])
def test_the_file_is_what_the_bundle_recommends(version: ModelVersion, k: int, exclude_seen: bool, file_format: BatchFormat) -> None:
    batch = ask(version, k, exclude_seen=exclude_seen, file_format=file_format)
    tasks.rank_all(batch.pk)
    table = table_of(batch)
    model = bundle_opened(version, home_folder() / "models").model
    expected = [
        (user, rank, item, score)
        for user in model.user_ids
        for rank, (item, score) in enumerate(model.recommend(user, k, exclude_seen=exclude_seen), start=1)
    ]
    assert table.columns == ["user", "rank", "item", "score"]
    assert table.drop("score").rows() == [row[:3] for row in expected]
    assert table["score"].to_list() == pytest.approx([row[3] for row in expected], abs=1e-6)
    assert (batch.rows, batch.users_done) == (len(expected), 4)


def test_blocks_of_users_make_one_file(version: ModelVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ask(version, 2)
    batch_compute(batch_id=whole.pk)
    monkeypatch.setattr("gnn.bundle.ranking.SCORES_AT_ONCE", 1)
    for file_format in BatchFormat:
        parts = ask(version, 5, file_format=file_format)
        batch_compute(batch_id=parts.pk)
        first_two = table_of(parts).filter(pl.col("rank") <= 2)
        assert first_two.drop("score").rows() == table_of(whole).drop("score").rows()


def test_asked_again_it_is_the_same_file(version: ModelVersion) -> None:
    first = ask(version)
    batch_compute(batch_id=first.pk)
    before = table_of(first)
    assert ask(version).pk == first.pk
    batch_compute(batch_id=first.pk)
    assert table_of(first).equals(before)
    assert ask(version, 4).pk != first.pk


def test_a_damaged_bundle_is_said_and_tried_again(version: ModelVersion) -> None:
    good = version.digest
    ModelVersion.objects.filter(pk=version.pk).update(digest="0" * 64)
    batch = ask(version)
    batch_compute(batch_id=batch.pk)
    batch.refresh_from_db()
    assert (batch.state, batch.result_blob) == (BatchState.FAILED, "")
    assert "holds another bundle" in batch.message
    ModelVersion.objects.filter(pk=version.pk).update(digest=good)
    again = ask(version)
    assert (again.pk, again.state, again.message) == (batch.pk, BatchState.QUEUED, "")
    batch_compute(batch_id=batch.pk)
    assert len(table_of(batch)) == 12


def test_what_kills_workers_is_given_up(version: ModelVersion) -> None:
    batch = ask(version)
    Batch.objects.filter(pk=batch.pk).update(state=BatchState.RUNNING, attempts=MAX_ATTEMPTS)
    batch_compute(batch_id=batch.pk)
    batch.refresh_from_db()
    assert (batch.state, batch.message) == (BatchState.FAILED, LOST_MESSAGE)


def test_a_lost_message_is_sent_again(version: ModelVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = ask(version)
    sent: list[tuple[str, int]] = []
    monkeypatch.setattr(reaper, "enqueue_on_commit", lambda task, number: sent.append((task, number)))
    monkeypatch.setattr(reaper, "waiting_messages", lambda name: 0)
    reaper.reap()
    assert (queue.RANK_ALL, batch.pk) in sent
    batch_compute(batch_id=batch.pk)
    sent.clear()
    reaper.reap()
    assert sent == []


def test_refusals(version: ModelVersion) -> None:
    for k in (0, 1_000_000):
        with pytest.raises(Conflict, match="between 1 and 1,000"):
            ask(version, k)
    ModelVersion.objects.filter(pk=version.pk).update(state=ModelState.BUILDING)
    with pytest.raises(Conflict, match="not built"):
        ask(version)


def test_the_page_asks_shows_and_downloads(signed_in: Client, version: ModelVersion) -> None:
    page = reverse("model_batches", args=["films", 1])
    assert "No file was computed yet" in signed_in.get(page).content.decode()
    assert signed_in.post(page, {"k": 0, "format": "csv"}).status_code == 200
    assert not Batch.objects.exists()
    assert signed_in.post(page, {"k": 2, "format": "csv", "exclude_seen": "on"}).status_code == 302
    batch = Batch.objects.get()
    waiting = signed_in.get(page, headers={"HX-Request": "true"}).content.decode()
    assert 'role="progressbar"' in waiting and "every 1s" in waiting and "<html" not in waiting
    download = reverse("model_batch_download", args=["films", 1, batch.pk])
    assert signed_in.get(download).status_code == 404
    batch_compute(batch_id=batch.pk)
    done = signed_in.get(page).content.decode()
    assert download in done and "every 1s" not in done
    response = signed_in.get(download)
    assert b"".join(response.streaming_content).startswith(b"user,rank,item,score\na,1,i")  # type: ignore[attr-defined]
    assert response.headers["Content-Disposition"] == 'attachment; filename="films-1-top-2.csv"'
    assert signed_in.get(reverse("model_batch_download", args=["films", 2, batch.pk])).status_code == 404


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_worker_computes_it(workers: Path) -> None:
    batch = ask(model_import(owner=None, file=bundle_file()))
    wait_for(lambda: Batch.objects.get(pk=batch.pk).state == BatchState.READY, what="the file")
    assert len(table_of(batch)) == 12
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        assert cursor.fetchone() == (0,)
