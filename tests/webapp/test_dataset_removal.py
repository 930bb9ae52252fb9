from __future__ import annotations

import threading
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from tests.toy_dataset import toy_csv, toy_dataset
from tests.webapp.factories import make_baseline, make_search, make_trial
from webapp.blobs import bytes_file
from webapp.enums import DatasetState, SearchState
from webapp.models import Blob, BlobPart, Dataset, DatasetFile, Search, Trial, Upload
from webapp.services.blob_release import blobs_release
from webapp.services.dataset_removal import dataset_cancel, dataset_delete
from webapp.services.datasets import dataset_ingest
from webapp.services.errors import Conflict
from webapp.services.uploads import upload_append, upload_start


def test_deleting_frees_every_blob(db: None) -> None:
    dataset = toy_dataset()
    DatasetFile.objects.create(
        dataset=dataset, kind="social", filename="trust.csv", source_blob=default_storage.save("x", bytes_file(b"a,b\n"))
    )
    assert Blob.objects.count() == 3
    dataset_delete(dataset_id=dataset.pk)
    assert (Dataset.objects.count(), DatasetFile.objects.count(), Blob.objects.count(), BlobPart.objects.count()) == (0, 0, 0, 0)
    dataset_delete(dataset_id=dataset.pk)


def test_a_blob_that_another_dataset_shares_stays(db: None) -> None:
    first, second = toy_dataset(), toy_dataset()
    assert first.source_blob == second.source_blob
    dataset_delete(dataset_id=first.pk)
    with default_storage.open(second.source_blob) as file:
        assert file.read() == toy_csv()
    dataset_delete(dataset_id=second.pk)
    assert Blob.objects.count() == 0


def test_an_unfinished_upload_of_a_dataset_goes_with_it(db: None, user: User) -> None:
    dataset = toy_dataset()
    upload = upload_start(owner=user, filename="more.csv", size=10)
    upload_append(owner=user, upload_id=upload.pk, offset=0, data=b"1,2,3\n1,2\n")
    Upload.objects.filter(pk=upload.pk).update(dataset=dataset)
    dataset_delete(dataset_id=dataset.pk)
    assert (Upload.objects.count(), Blob.objects.count()) == (0, 0)


@pytest.mark.parametrize("state", [SearchState.RUNNING, SearchState.PAUSED, SearchState.FINISHING])
def test_a_search_that_may_go_on_keeps_its_dataset(db: None, state: str) -> None:
    search = make_search(state=state)
    with pytest.raises(Conflict, match="still working on “Toy”. Stop it first"):
        dataset_delete(dataset_id=search.dataset_id, with_searches=True)
    assert Dataset.objects.count() == 1


def test_ended_searches_go_only_when_told_with_their_checkpoints(db: None) -> None:
    search = make_search(state=SearchState.FINISHED)
    checkpoint = default_storage.save("x", bytes_file(b"weights"))
    make_trial(search, 1, checkpoint_blob=checkpoint)
    make_baseline(search, "ease", 0.3)
    other = make_search(state=SearchState.RUNNING)
    with pytest.raises(Conflict, match="can only be deleted together"):
        dataset_delete(dataset_id=search.dataset_id)
    assert Search.objects.count() == 2
    dataset_delete(dataset_id=search.dataset_id, with_searches=True)
    assert (Search.objects.get(), Trial.objects.count(), default_storage.exists(checkpoint)) == (other, 0, False)


def test_releasing_waits_for_who_is_storing_the_same_content(transactional_db: None) -> None:
    """An upload that found the blob present must not lose it to a deletion at the same moment."""
    first = Dataset.objects.create(name="a", filename="a", source_blob=default_storage.save("x", bytes_file(b"same")))
    found, go = threading.Event(), threading.Event()

    def store() -> None:
        try:
            with transaction.atomic():
                name = default_storage.save("x", bytes_file(b"same"))
                found.set()
                go.wait(10)
                Dataset.objects.create(name="b", filename="b", source_blob=name)
        finally:
            connection.close()

    def delete() -> None:
        try:
            dataset_delete(dataset_id=first.pk)
        finally:
            connection.close()

    storing, deleting = threading.Thread(target=store), threading.Thread(target=delete)
    storing.start()
    assert found.wait(10)
    deleting.start()
    deleting.join(0.3)
    assert deleting.is_alive()
    go.set()
    storing.join()
    deleting.join()
    assert default_storage.exists(Dataset.objects.get().source_blob)


def test_releasing_a_blob_in_use_or_gone_changes_nothing(db: None) -> None:
    dataset = toy_dataset()
    blobs_release({dataset.source_blob, dataset.data_blob, "", "0" * 64})
    assert Blob.objects.count() == 2


def test_cancelling_goes_back_to_the_columns_and_keeps_nothing(db: None) -> None:
    dataset = toy_dataset()
    Dataset.objects.filter(pk=dataset.pk).update(state=DatasetState.INGESTING, data_blob="", rows_read=5)
    assert dataset_cancel(dataset_id=dataset.pk).state == DatasetState.UPLOADED
    assert dataset_cancel(dataset_id=dataset.pk).rows_read is None
    assert dataset_ingest(dataset_id=dataset.pk).state == DatasetState.UPLOADED
    Dataset.objects.filter(pk=dataset.pk).update(state=DatasetState.READY)
    with pytest.raises(Conflict, match="already read to the end"):
        dataset_cancel(dataset_id=dataset.pk)


def test_the_page_names_what_goes_and_asks_for_a_tick(signed_in: Client) -> None:
    search = make_search(state=SearchState.FINISHED, name="<b>nightly</b>")
    make_trial(search, 1)
    url = reverse("dataset_delete", args=[search.dataset_id])
    text = signed_in.get(url).content.decode()
    assert "&lt;b&gt;nightly&lt;/b&gt;" in text
    assert "1 search, 1 trial with its scores" in text
    refused = signed_in.post(url, follow=True)
    assert "They can only be deleted together" in refused.content.decode()
    done = signed_in.post(url, {"with_searches": "yes"}, follow=True)
    assert "Dataset “Toy” is deleted." in done.content.decode()
    assert Dataset.objects.count() == 0
    # A second press, and every other page that is still open.
    assert signed_in.post(url).headers["Location"] == reverse("datasets")
    for name in ("dataset", "dataset_mapping", "dataset_delete"):
        assert signed_in.get(reverse(name, args=[search.dataset_id])).status_code == 404
    assert signed_in.post(reverse("dataset_cancel", args=[search.dataset_id])).status_code == 404


def test_a_running_search_is_named_and_there_is_no_button(signed_in: Client) -> None:
    search = make_search()
    text = signed_in.get(reverse("dataset_delete", args=[search.dataset_id])).content.decode()
    assert "1 search still works on this dataset" in text
    assert 'type="submit"' not in text.split("<main")[1]


def test_cancel_is_on_the_page_while_reading(signed_in: Client) -> None:
    dataset = toy_dataset()
    Dataset.objects.filter(pk=dataset.pk).update(state=DatasetState.INGESTING, rows_read=1234)
    text = signed_in.get(reverse("dataset", args=[dataset.pk])).content.decode()
    url: Any = reverse("dataset_cancel", args=[dataset.pk])
    assert f'action="{url}"' in text
    assert "1,234 rows so far." in text
    assert signed_in.post(url).headers["Location"] == reverse("dataset_mapping", args=[dataset.pk])
