from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from gnn.errors import DataError
from gnn.sources import Mapping
from webapp.blobs import bytes_file
from webapp.enums import DatasetState
from webapp.models import Blob, Dataset
from webapp.queue import INGEST_DATASET, app
from webapp.selectors.dataset_files import file_detected
from webapp.selectors.datasets import dataset_interactions
from webapp.services.datasets import dataset_confirm, dataset_ingest, dataset_upload
from webapp.services.errors import Conflict


def ratings(seed: int = 1, n_users: int = 30, n_items: int = 20) -> str:
    """Like MovieLens-100K's u.data: tab, no header, 1 to 5 stars, Unix seconds."""
    random = np.random.default_rng(seed)
    lines = []
    for user in range(1, n_users + 1):
        for item in random.choice(n_items, 8, replace=False) + 1:
            lines.append(f"{user}\t{item}\t{random.integers(1, 6)}\t{880_000_000 + random.integers(0, 10_000_000)}")
    return "\n".join(lines) + "\n"


MAPPING = Mapping(delimiter="\t", has_header=False, columns={"user": 0, "item": 1, "weight": 2, "timestamp": 3})


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What was enqueued."""
    messages: list[tuple[str, Any]] = []
    monkeypatch.setattr(app, "send_task", lambda task, args, queue: messages.append((task, args)))
    return messages


def upload(content: str | bytes, filename: str = "u.data", name: str = "") -> Dataset:
    data = content.encode() if isinstance(content, str) else content
    return dataset_upload(owner=None, name=name, filename=filename, file=bytes_file(data))


def confirm_and_ingest(content: str | bytes, mapping: Mapping = MAPPING) -> Dataset:
    return dataset_ingest(dataset_id=dataset_confirm(dataset_id=upload(content).pk, mapping=mapping).pk)


def test_an_upload_becomes_ready_with_exactly_its_rows(db: None, user: User, sent: list[Any]) -> None:
    content = ratings()
    dataset = dataset_upload(owner=user, name="  ", filename="u.data", file=bytes_file(content.encode()))
    assert (dataset.state, dataset.name, dataset.owner) == (DatasetState.UPLOADED, "u", user)
    assert file_detected(dataset.source_blob, dataset.filename).mapping() == MAPPING
    dataset = dataset_ingest(dataset_id=dataset_confirm(dataset_id=dataset.pk, mapping=MAPPING).pk)
    assert (dataset.state, dataset.message) == (DatasetState.READY, "")
    assert dataset.ingested_at is not None
    assert (dataset.profile["users"], dataset.profile["items"], dataset.profile["interactions"]) == (30, 20, 240)
    assert dataset.profile["density"] == 240 / 600
    interactions = dataset_interactions(dataset)
    assert interactions.weight is not None and interactions.timestamp is not None
    assert [
        f"{interactions.user_ids[user]}\t{interactions.item_ids[item]}\t{weight:.0f}\t{time}"
        for user, item, weight, time in zip(
            interactions.user.tolist(), interactions.item.tolist(), interactions.weight, interactions.timestamp, strict=True
        )
    ] == content.splitlines()


def test_a_sparse_file_like_movietweetings(db: None, sent: list[Any]) -> None:
    random = np.random.default_rng(3)
    items = random.zipf(1.6, 500).clip(max=400)
    content = "".join(f"{user // 4}::{item:07d}::{1 + user % 10}::{1_365_000_000 + user}\n" for user, item in enumerate(items))
    dataset = upload(content, "ratings.dat")
    mapping = file_detected(dataset.source_blob, dataset.filename).mapping()
    dataset = dataset_ingest(dataset_id=dataset_confirm(dataset_id=dataset.pk, mapping=mapping).pk)
    assert dataset.profile["users"] == 125
    assert dataset.profile["items"] == len(set(items.tolist()))
    assert dataset.profile["interactions"] == 500
    assert dataset_interactions(dataset).item_ids[0] == f"{items[0]:07d}"


def test_a_file_that_cannot_be_a_dataset_stores_nothing(db: None) -> None:
    with pytest.raises(DataError, match="PNG picture"):
        upload(b"\x89PNG\r\n\x1a\n\0\0", "cat.csv")
    assert (Dataset.objects.count(), Blob.objects.count()) == (0, 0)


def test_a_file_over_the_limit_stores_nothing(db: None, settings: Any) -> None:
    settings.RECSMITH_UPLOAD_LIMIT_MB = 1
    with pytest.raises(DataError, match="u.data has 2 MB; at most 1 MB can be uploaded"):
        upload(b"1\t2\n" * 500_000)
    assert (Dataset.objects.count(), Blob.objects.count()) == (0, 0)


def test_confirming_twice_enqueues_once(db: None, sent: list[Any], django_capture_on_commit_callbacks: Any) -> None:
    dataset = upload(ratings())
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(2):
            assert dataset_confirm(dataset_id=dataset.pk, mapping=MAPPING).state == DatasetState.INGESTING
    assert sent == [(INGEST_DATASET, (dataset.pk,))]


def test_a_ready_dataset_does_not_change(db: None, sent: list[Any]) -> None:
    dataset = confirm_and_ingest(ratings())
    assert dataset_confirm(dataset_id=dataset.pk, mapping=MAPPING) == dataset
    other = MAPPING.model_copy(update={"columns": {"user": 1, "item": 0}})
    with pytest.raises(Conflict, match="is ready and does not change any more"):
        dataset_confirm(dataset_id=dataset.pk, mapping=other)
    assert Dataset.objects.get().mapping == MAPPING.to_json()


def test_a_dataset_being_read_refuses_other_columns(db: None, sent: list[Any]) -> None:
    dataset = dataset_confirm(dataset_id=upload(ratings()).pk, mapping=MAPPING)
    with pytest.raises(Conflict, match="is being read with other columns"):
        dataset_confirm(dataset_id=dataset.pk, mapping=MAPPING.model_copy(update={"columns": {"user": 1, "item": 0}}))


@pytest.mark.parametrize(
    ("content", "mapping", "message"),
    [
        (ratings(), MAPPING.model_copy(update={"columns": {"user": 0, "item": 8}}), "There is no column 9 for the item"),
        (ratings(), MAPPING.model_copy(update={"delimiter": ","}), "the rows have 1 column"),
        (ratings(), MAPPING.model_copy(update={"columns": {"user": "user", "item": 1}}), "There is no column 'user' for the user"),
        ("1\t2\t3\t880000000\n", MAPPING, r"needs at least 2 users, 2 items, 10 interactions.*has 1 user\(s\), 1 item\(s\) and 1 inter"),
        ("1\t2\tx\t880000000\n" * 12, MAPPING, "None of the 12 rows can be used: 12 × weight is not a number"),
    ],
)
def test_what_cannot_be_read_is_invalid_with_the_reason_and_can_be_corrected(
    db: None, sent: list[Any], content: str, mapping: Mapping, message: str
) -> None:
    dataset = confirm_and_ingest(content, mapping)
    assert dataset.state == DatasetState.INVALID
    assert (dataset.profile, dataset.data_blob, Blob.objects.count()) == ({}, "", 1)
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(dataset.message)
    again = dataset_confirm(dataset_id=dataset.pk, mapping=MAPPING)
    assert (again.state, again.message) == (DatasetState.INGESTING, "")


def test_rejected_rows_are_in_the_profile_and_add_up(db: None, sent: list[Any]) -> None:
    rejects = confirm_and_ingest(ratings() + "31\t\t3\t880000000\n32\t1\n").profile["rejects"]
    assert (rejects["rows_read"], rejects["rows_kept"]) == (242, 240)
    assert [(reason["reason"], reason["count"], reason["examples"][0]["line"]) for reason in rejects["reasons"]] == [
        ("field_count", 1, 242),
        ("missing_item", 1, 241),
    ]


def test_a_second_delivery_changes_nothing(db: None, sent: list[Any]) -> None:
    dataset = confirm_and_ingest(ratings())
    before = Dataset.objects.values().get()
    dataset_ingest(dataset_id=dataset.pk)
    assert Dataset.objects.values().get() == before


def test_an_uploaded_dataset_is_not_ingested_before_it_is_confirmed(db: None) -> None:
    assert dataset_ingest(dataset_id=upload(ratings()).pk).state == DatasetState.UPLOADED


def test_two_ingests_at_once_give_one_result(transactional_db: None, sent: list[Any]) -> None:
    dataset = dataset_confirm(dataset_id=upload(ratings()).pk, mapping=MAPPING)
    barrier, states = threading.Barrier(3), []

    def ingest() -> None:
        barrier.wait()
        states.append(dataset_ingest(dataset_id=dataset.pk).state)
        connection.close()

    threads = [threading.Thread(target=ingest) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states == [DatasetState.READY] * 3
    assert Blob.objects.count() == 2
    dataset.refresh_from_db()
    assert len(dataset_interactions(dataset)) == 240


def test_a_late_run_with_an_old_mapping_does_not_win(db: None, sent: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    swapped = MAPPING.model_copy(update={"columns": {"user": 1, "item": 0}})
    dataset = dataset_confirm(dataset_id=upload(ratings()).pk, mapping=swapped)

    def corrected_meanwhile(*_: Any) -> None:
        Dataset.objects.update(mapping=MAPPING.to_json())

    monkeypatch.setattr("webapp.services.ingestion.require_splittable", corrected_meanwhile)
    assert dataset_ingest(dataset_id=dataset.pk).state == DatasetState.INGESTING
    assert Blob.objects.count() == 1


def test_an_unexpected_error_does_not_leave_the_dataset_hanging(db: None, sent: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = dataset_confirm(dataset_id=upload(ratings()).pk, mapping=MAPPING)

    def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("webapp.services.ingestion.profile", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        dataset_ingest(dataset_id=dataset.pk)
    dataset.refresh_from_db()
    assert dataset.state == DatasetState.INVALID
    assert "unexpected error" in dataset.message


def test_a_file_that_kills_its_worker_again_and_again_is_given_up(db: None, sent: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = upload(ratings())
    dataset_confirm(dataset_id=dataset.pk, mapping=MAPPING)

    class Killed(BaseException):
        """As sudden as SIGKILL: nothing after it runs."""

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("webapp.services.datasets._ingest", die)
        for _ in range(3):
            with pytest.raises(Killed):
                dataset_ingest(dataset_id=dataset.pk)
    given_up = dataset_ingest(dataset_id=dataset.pk)
    assert given_up.state == DatasetState.INVALID
    assert "died 3 times" in given_up.message
    dataset_confirm(dataset_id=dataset.pk, mapping=MAPPING)
    assert dataset_ingest(dataset_id=dataset.pk).state == DatasetState.READY


def test_a_lost_file_is_told(db: None, sent: list[Any]) -> None:
    dataset = dataset_confirm(dataset_id=upload(ratings()).pk, mapping=MAPPING)
    Blob.objects.all().delete()
    assert dataset_ingest(dataset_id=dataset.pk).message == "The uploaded file is no longer in storage. Upload it again."


def test_the_command_imports_a_file(db: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "u.data"
    path.write_text(ratings() + "31\t\t3\t880000000\n")
    call_command("dataset_import", str(path), "--name", "Films", "--timestamp-column", "")
    dataset = Dataset.objects.get()
    assert (dataset.name, dataset.state, dataset.owner) == ("Films", DatasetState.READY, None)
    assert dataset.mapping["columns"] == {"user": 0, "item": 1, "weight": 2}
    out = capsys.readouterr().out
    assert f"dataset {dataset.pk}: Films" in out
    assert "30 users, 20 items, 240 interactions" in out
    assert "241 rows read, 240 kept, 1 rejected" in out
    assert "missing item (first in line 241: '')" in out


def test_the_command_takes_columns_by_name_and_position(db: None, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("a;b;c\n" + ratings().replace("\t", ";").replace(";88", ";;88"))
    path.write_text("when;what;who\n" + "".join(f"{at};i{at % 4};u{at % 3}\n" for at in range(20)))
    call_command("dataset_import", str(path), "--user-column", "who", "--item-column", "2", "--delimiter", ";")
    dataset = Dataset.objects.get()
    assert dataset.mapping["columns"] == {"user": 2, "item": 1}
    assert (dataset.profile["users"], dataset.profile["items"]) == (3, 4)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (None, [], "cannot be opened: No such file"),
        ("", [], "is empty"),
        (ratings(), ["--user-column", "who"], "--user-column: there is no column 'who'. The columns are 'column 1'"),
        (ratings(), ["--delimiter", "ab"], "--delimiter must be one sign"),
        ("1\t2\n3\t4\n", [], "Dataset [0-9]+ is invalid: A dataset needs at least"),
    ],
)
def test_the_command_fails_with_a_clear_error(db: None, tmp_path: Path, content: str | None, options: list[str], message: str) -> None:
    path = tmp_path / "u.data"
    if content is not None:
        path.write_text(content)
    with pytest.raises(CommandError, match=message):
        call_command("dataset_import", str(path), *options)
