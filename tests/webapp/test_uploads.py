from __future__ import annotations

import io
import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from gnn.errors import DataError
from tests.toy_dataset import toy_csv, toy_dataset
from tests.webapp.uploading import begin, patch, send
from webapp.blobs import PART_BYTES
from webapp.models import Blob, BlobPart, Dataset, Upload
from webapp.services.errors import Conflict
from webapp.services.uploads import CHUNK_BYTES, upload_append, upload_cancel, upload_finish, upload_start, uploads_expire

ROW = b"u%05d,i%05d,%d\n"


def long_csv(size: int) -> bytes:
    rows = b"user,item,rating\n" + b"".join(ROW % (at % 5000, at * 7 % 900, at % 5) for at in range(size // 16))
    return rows + b"u00000,i00000,3\n" * 8


def stored() -> tuple[int, int, int, int]:
    return Upload.objects.count(), Dataset.objects.count(), Blob.objects.count(), BlobPart.objects.count()


def test_chunks_become_the_very_file(signed_in: Client) -> None:
    content = long_csv(CHUNK_BYTES + 3 * PART_BYTES)
    answer = send(signed_in, content)
    dataset = Dataset.objects.get()
    assert (answer.status_code, answer.json()) == (201, {"url": reverse("dataset_mapping", args=[dataset.pk])})
    assert (dataset.name, dataset.owner.username) == ("toy", "ada")  # type: ignore[union-attr]
    with default_storage.open(dataset.source_blob) as file:
        assert file.read() == content
    assert Blob.objects.count() == 1


def test_a_lost_answer_and_a_lost_chunk_are_gone_over(signed_in: Client) -> None:
    content = long_csv(2 * CHUNK_BYTES + 100)
    made = begin(signed_in, content).json()
    first = content[:CHUNK_BYTES]
    assert patch(signed_in, made["url"], 0, first).json()["offset"] == CHUNK_BYTES
    # The answer was lost: the same chunk again is told how far the file is.
    again = patch(signed_in, made["url"], 0, first)
    assert (again.status_code, again.json()["offset"]) == (409, CHUNK_BYTES)
    # A chunk was lost: the next one does not fit.
    assert patch(signed_in, made["url"], 2 * CHUNK_BYTES, content[2 * CHUNK_BYTES :]).status_code == 409
    # A reload asks, and goes on from there.
    offset = signed_in.get(made["url"]).json()["offset"]
    assert offset == CHUNK_BYTES
    assert signed_in.post(made["finish"]).status_code == 409
    for at in (offset, 2 * CHUNK_BYTES):
        assert patch(signed_in, made["url"], at, content[at : at + CHUNK_BYTES]).status_code == 200
    assert signed_in.post(made["finish"]).status_code == 201
    with default_storage.open(Dataset.objects.get().source_blob) as file:
        assert file.read() == content


def test_a_chunk_cut_short_by_the_network_is_not_stored(signed_in: Client) -> None:
    made = begin(signed_in, toy_csv()).json()
    cut: Any = {"wsgi.input": io.BytesIO(toy_csv()[:-1])}
    response = signed_in.patch(made["url"], toy_csv(), content_type="text/csv", headers={"Upload-Offset": "0"}, **cut)
    assert response.status_code == 400
    assert signed_in.get(made["url"]).json()["offset"] == 0


def test_finishing_twice_gives_the_same_dataset(signed_in: Client) -> None:
    made = begin(signed_in, toy_csv()).json()
    patch(signed_in, made["url"], 0, toy_csv())
    answers = [signed_in.post(made["finish"]) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert Dataset.objects.count() == 1
    assert patch(signed_in, made["url"], len(toy_csv()), b"x").status_code == 409


def test_cancel_leaves_nothing(signed_in: Client) -> None:
    content = long_csv(2 * CHUNK_BYTES)
    made = begin(signed_in, content).json()
    patch(signed_in, made["url"], 0, content[:CHUNK_BYTES])
    assert stored() == (1, 0, 1, 4)
    assert signed_in.delete(made["url"]).status_code == 204
    assert stored() == (0, 0, 0, 0)
    assert signed_in.delete(made["url"]).status_code == 204
    for answer in (signed_in.get(made["url"]), patch(signed_in, made["url"], 0, b"x"), signed_in.post(made["finish"])):
        assert answer.status_code == 404


def test_cancel_does_not_take_back_a_finished_upload(signed_in: Client) -> None:
    made = begin(signed_in, toy_csv()).json()
    patch(signed_in, made["url"], 0, toy_csv())
    signed_in.post(made["finish"])
    assert signed_in.delete(made["url"]).status_code == 204
    assert default_storage.exists(Dataset.objects.get().source_blob)


def test_a_file_that_grows_while_it_is_sent_is_refused(signed_in: Client) -> None:
    made = begin(signed_in, toy_csv()).json()
    answer = patch(signed_in, made["url"], 0, toy_csv() + b"u1,i1,5,1\n")
    assert answer.status_code == 422
    assert "toy.csv changed while it was sent" in answer.json()["error"]
    assert stored() == (0, 0, 0, 0)


def test_a_file_over_the_limit_is_refused_before_it_is_sent(signed_in: Client, settings: Any) -> None:
    settings.RECSMITH_UPLOAD_LIMIT_MB = 1
    answer = begin(signed_in, b"", size=1_000_001)
    assert answer.status_code == 413
    assert "toy.csv has 1 MB; at most 1 MB can be uploaded" in answer.json()["error"]
    assert begin(signed_in, b"", size=1_000_000).status_code == 201
    assert begin(signed_in, b"", size="many").status_code == 422
    assert begin(signed_in, b"", filename="").json() == {"error": "Choose a file."}


def test_what_is_no_table_is_told_and_dropped(signed_in: Client) -> None:
    for content, message in ((b"", "is empty"), (b"\x89PNG\r\n\x1a\n\0\0", "PNG picture"), (b"user,item\n", "only a header")):
        answer = send(signed_in, content, "<b>.csv")
        assert answer.status_code == 422
        assert message in answer.json()["error"]
        assert stored() == (0, 0, 0, 0)


def test_wrong_requests_get_an_answer_and_store_nothing(signed_in: Client) -> None:
    content = long_csv(3 * CHUNK_BYTES)
    made = begin(signed_in, content).json()
    assert signed_in.patch(made["url"], b"x", content_type="text/plain").status_code == 400
    assert signed_in.patch(made["url"], b"x", content_type="text/plain", headers={"Upload-Offset": "-1"}).status_code == 400
    assert patch(signed_in, made["url"], 0, content[: CHUNK_BYTES + 1]).status_code == 413
    assert patch(signed_in, made["url"], 0, content[: PART_BYTES + 1]).status_code == 409
    assert patch(signed_in, made["url"], 0, b"").status_code == 400
    assert signed_in.get(reverse("upload_new")).status_code == 405
    assert Blob.objects.get().size == 0


def test_uploads_belong_to_one_person(signed_in: Client, client: Client, db: None) -> None:
    made = begin(signed_in, toy_csv()).json()
    other = Client()
    other.force_login(User.objects.create_user("bob"))
    assert other.get(made["url"]).status_code == 404
    assert patch(other, made["url"], 0, toy_csv()).status_code == 404
    assert other.post(made["finish"]).status_code == 404
    assert other.delete(made["url"]).status_code == 204
    assert Upload.objects.count() == 1
    assert Client().get(made["url"]).status_code == 302


def test_the_same_file_twice_at_once_becomes_two_datasets_and_one_blob(transactional_db: None, user: User) -> None:
    content = long_csv(CHUNK_BYTES + PART_BYTES)
    barrier = threading.Barrier(3)
    problems: list[Exception] = []

    def work() -> None:
        try:
            upload = upload_start(owner=user, filename="a.csv", size=len(content))
            barrier.wait()
            for at in range(0, len(content), CHUNK_BYTES):
                upload_append(owner=user, upload_id=upload.pk, offset=at, data=content[at : at + CHUNK_BYTES])
            barrier.wait()
            upload_finish(owner=user, upload_id=upload.pk)
        except Exception as problem:
            problems.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert (Dataset.objects.count(), Blob.objects.count()) == (3, 1)
    with default_storage.open(Dataset.objects.latest("pk").source_blob) as file:
        assert file.read() == content


def test_one_chunk_sent_twice_at_once_is_stored_once(transactional_db: None, user: User) -> None:
    content = long_csv(2 * CHUNK_BYTES)
    upload = upload_start(owner=user, filename="a.csv", size=len(content))
    barrier, results = threading.Barrier(3), []

    def work() -> None:
        barrier.wait()
        try:
            upload_append(owner=user, upload_id=upload.pk, offset=0, data=content[:CHUNK_BYTES])
            results.append("stored")
        except Conflict:
            results.append("conflict")
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["conflict", "conflict", "stored"]
    assert Blob.objects.get().size == CHUNK_BYTES


def test_a_chunk_of_an_upload_that_another_tab_cancels_meanwhile_is_told(signed_in: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    content = long_csv(2 * CHUNK_BYTES)
    made = begin(signed_in, content).json()

    def refuse_and_cancel(**chunk: Any) -> None:
        upload_cancel(owner=chunk["owner"], upload_id=chunk["upload_id"])
        raise Conflict("The next byte is number 0, not 4194304.")

    monkeypatch.setattr("webapp.views.uploads.upload_append", refuse_and_cancel)
    assert patch(signed_in, made["url"], CHUNK_BYTES, content[CHUNK_BYTES : 2 * CHUNK_BYTES]).status_code == 404


def test_an_unfinished_upload_is_listed_until_it_is_discarded(signed_in: Client) -> None:
    content = long_csv(2 * CHUNK_BYTES)
    made = begin(signed_in, content, "<b>.csv").json()
    patch(signed_in, made["url"], 0, content[:CHUNK_BYTES])
    dataset = toy_dataset()
    Dataset.objects.filter(pk=dataset.pk).update(state="uploaded")
    begin(signed_in, toy_csv(), "trust.csv", target=dataset.pk, kind="social")
    for url in (reverse("dataset_upload"), reverse("dataset_file_new", args=[dataset.pk])):
        page = signed_in.get(url).content.decode()
        assert "&lt;b&gt;.csv" in page
        assert "4.2 MB of 8.4 MB" in page
        assert "toy (social edges)" in page
    other = Client()
    other.force_login(User.objects.create_user("bob"))
    assert "Unfinished uploads" not in other.get(reverse("dataset_upload")).content.decode()
    discard = reverse("upload_discard", args=[UUID(made["url"].split("/")[-2])])
    other.post(discard)
    assert Upload.objects.count() == 2
    assert signed_in.post(discard).headers["Location"] == reverse("dataset_upload")
    assert signed_in.post(discard).status_code == 302
    assert Upload.objects.get().filename == "trust.csv"


def test_a_person_has_only_so_many_unfinished_uploads(signed_in: Client, settings: Any) -> None:
    settings.RECSMITH_OPEN_UPLOADS = 2
    first, _ = begin(signed_in, toy_csv()).json(), begin(signed_in, toy_csv()).json()
    refused = begin(signed_in, toy_csv())
    assert refused.status_code == 409
    assert "You have 2 unfinished uploads" in refused.json()["error"]
    assert (Upload.objects.count(), Blob.objects.count()) == (2, 2)
    other = Client()
    other.force_login(User.objects.create_user("bob"))
    assert begin(other, toy_csv()).status_code == 201
    patch(signed_in, first["url"], 0, toy_csv())
    assert signed_in.post(first["finish"]).status_code == 201
    assert begin(signed_in, toy_csv()).status_code == 201


def test_starts_at_once_do_not_get_past_the_cap(transactional_db: None, user: User, settings: Any) -> None:
    settings.RECSMITH_OPEN_UPLOADS = 2
    barrier, results = threading.Barrier(6), []

    def work() -> None:
        barrier.wait()
        try:
            upload_start(owner=user, filename="a.csv", size=9)
            results.append("started")
        except Conflict:
            results.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["refused"] * 4 + ["started"] * 2


def test_a_name_given_at_the_end_goes_before_the_one_given_at_the_start(signed_in: Client) -> None:
    for given, shown in (("later", "later"), ("", "earlier")):
        made = begin(signed_in, toy_csv(), name="earlier").json()
        patch(signed_in, made["url"], 0, toy_csv())
        signed_in.post(made["finish"], {"name": given})
        assert Dataset.objects.latest("pk").name == shown


def test_forgotten_uploads_are_dropped(db: None, user: User, settings: Any) -> None:
    old, new = (upload_start(owner=user, filename="a.csv", size=2 * CHUNK_BYTES) for _ in range(2))
    for upload in (old, new):
        upload_append(owner=user, upload_id=upload.pk, offset=0, data=bytes(PART_BYTES))
    Upload.objects.filter(pk=old.pk).update(touched_at=timezone.now() - timedelta(hours=settings.RECSMITH_UPLOAD_KEEP_HOURS, minutes=1))
    uploads_expire()
    assert Upload.objects.get() == new
    assert (Blob.objects.count(), BlobPart.objects.count()) == (1, 1)


def test_an_unknown_upload_is_said_to_be_gone(db: None, user: User) -> None:
    with pytest.raises(Upload.DoesNotExist):
        upload_append(owner=user, upload_id=UUID(int=1), offset=0, data=b"")
    upload_cancel(owner=user, upload_id=UUID(int=1))


def test_a_name_with_a_path_keeps_its_last_part(db: None, user: User) -> None:
    assert upload_start(owner=user, filename="../../etc/passwd", size=1).filename == "passwd"
    with pytest.raises(DataError, match="can be uploaded"):
        upload_start(owner=user, filename="x", size=2**50)
