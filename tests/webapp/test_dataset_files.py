from __future__ import annotations

import gzip
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from gnn.errors import DataError
from gnn.sources import Mapping
from gnn.sources.side import AttributesMapping, EdgesMapping, side_mapping
from tests.toy_dataset import toy_csv, toy_dataset
from tests.webapp.factories import make_search
from webapp.blobs import bytes_file
from webapp.enums import DatasetState, FileKind
from webapp.models import Blob, Dataset, DatasetFile, Upload
from webapp.queue import app
from webapp.services import dataset_files
from webapp.services.dataset_files import dataset_file_add, dataset_file_map, dataset_file_remove, dataset_version_start
from webapp.services.datasets import dataset_upload
from webapp.services.errors import Conflict

MOVIES = b"movieId,title,genres,year\n" + b"".join(
    b"i%d,The long title of film %d,%s,%d\n" % (at, at, (b"Comedy|Drama", b"Drama", b"War|Drama|Comedy")[at % 3], 1990 + at % 9)
    for at in range(40)
)
TRUST = b"u1,u2\nu1,u3\nu2,u5\n"
FORMAT = {"source": "delimited", "delimiter": "comma", "header": "yes", "encoding": "utf-8"}


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    messages: list[tuple[str, Any]] = []
    monkeypatch.setattr(app, "send_task", lambda task, args, queue: messages.append((task, args)))
    return messages


@pytest.fixture
def draft(db: None) -> Dataset:
    return dataset_upload(owner=None, name="", filename="toy.csv", file=bytes_file(toy_csv()))


def add(dataset: Dataset, content: bytes, kind: FileKind, filename: str = "movies.csv") -> DatasetFile:
    return dataset_file_add(dataset_id=dataset.pk, kind=kind, filename=filename, file=bytes_file(content))


def test_attributes_are_guessed(draft: Dataset) -> None:
    mapping = side_mapping(add(draft, MOVIES, FileKind.ITEM_ATTRIBUTES).mapping)
    assert isinstance(mapping, AttributesMapping)
    assert (mapping.id, [(attribute.name, attribute.type) for attribute in mapping.attributes]) == (
        0, [("title", "text"), ("genres", "multi"), ("year", "categorical")],
    )  # fmt: skip


def test_two_columns_that_could_join_a_table_are_told(db: None, signed_in: Client) -> None:
    rows = b"".join(b"u%d,%d,i%d,5\n" % (at % 9, at % 13, at % 13) for at in range(80))
    draft = dataset_upload(owner=None, name="", filename="r.csv", file=bytes_file(b"user_id,item_idx,movie_id,rating\n" + rows))
    url = reverse("dataset_mapping", args=[draft.pk])
    told = escape("'movie_id' could be the item as well as 'item_idx'")
    assert told not in signed_in.get(url).content.decode()
    add(draft, MOVIES, FileKind.ITEM_ATTRIBUTES)
    assert told in signed_in.get(url).content.decode()
    preview = FORMAT | {"role_0": "user", "role_2": "item", "role_3": "weight", "action": "preview"}
    assert escape("'item_idx' could be the item as well as 'movie_id'") in signed_in.post(url, preview).content.decode()


def test_more_rows_of_the_same_shape_are_read_the_same_way(db: None) -> None:
    base = toy_dataset()
    version = dataset_version_start(owner=None, dataset_id=base.pk)
    same = add(version, b"user,item,rating,timestamp\nu1,i1,5,1\n", FileKind.INTERACTIONS, "more.csv")
    assert same.mapping == base.mapping
    other = add(version, b"item;user\ni1;u1\ni2;u2\n", FileKind.INTERACTIONS, "other.csv")
    assert Mapping.from_json(other.mapping).columns == {"user": 1, "item": 0}


def test_a_file_that_fits_no_mapping_waits_for_a_person(draft: Dataset, signed_in: Client) -> None:
    file = add(draft, b"user\nann\nbob\n".replace(b"\n", b",\n"), FileKind.TRIPLES, "kg.csv")
    assert file.mapping == {}
    page = signed_in.get(reverse("dataset_mapping", args=[draft.pk])).content.decode()
    assert "not said yet" in page
    roles = {"role_0": "user", "role_1": "item", "role_2": "weight", "role_3": "timestamp"}
    response = signed_in.post(reverse("dataset_mapping", args=[draft.pk]), FORMAT | roles, follow=True)
    assert "Say first how the columns of kg.csv are read." in response.content.decode()
    draft.refresh_from_db()
    assert draft.state == DatasetState.UPLOADED


def test_a_bad_file_is_refused_and_nothing_is_stored(draft: Dataset) -> None:
    blobs = Blob.objects.count()
    with pytest.raises(DataError, match="PNG"):
        add(draft, b"\x89PNG\r\n\x1a\n\0\0", FileKind.SOCIAL)
    assert (DatasetFile.objects.count(), Blob.objects.count()) == (0, blobs)


def test_looking_at_a_file_keeps_to_the_limits_of_the_server(draft: Dataset, signed_in: Client, settings: Any) -> None:
    swollen = gzip.compress(b"user,friend\nu1," + b"x" * 2_000_000 + b"\nu1,u2\nu2,u3\nu3,u4\n")
    file = add(draft, swollen, FileKind.SOCIAL, "trust.csv.gz")
    settings.RECSMITH_DECOMPRESS_LIMIT_MB = 1
    with pytest.raises(DataError, match="more than 1 MB when decompressed"):
        add(draft, swollen, FileKind.SOCIAL, "again.csv.gz")
    page = signed_in.get(reverse("dataset_file", args=[draft.pk, file.pk])).content.decode()
    assert "trust.csv.gz holds more than 1 MB when decompressed, the limit of this server." in page


def test_a_file_can_be_taken_away_again_with_its_blob(draft: Dataset) -> None:
    blobs = Blob.objects.count()
    file = add(draft, MOVIES, FileKind.ITEM_ATTRIBUTES)
    assert Blob.objects.count() == blobs + 1
    dataset_file_remove(file_id=file.pk)
    dataset_file_remove(file_id=file.pk)
    assert (DatasetFile.objects.count(), Blob.objects.count()) == (0, blobs)


def test_the_files_of_a_ready_dataset_do_not_change(db: None) -> None:
    dataset = toy_dataset()
    file = DatasetFile.objects.create(dataset=dataset, kind="social", filename="t", source_blob="x")
    edges = EdgesMapping(kind="social", columns={"user": 0, "friend": 1})
    for change in (
        lambda: add(dataset, MOVIES, FileKind.ITEM_ATTRIBUTES),
        lambda: dataset_file_map(file_id=file.pk, mapping=edges),
        lambda: dataset_file_remove(file_id=file.pk),
    ):
        with pytest.raises(Conflict, match="Make a new version"):
            change()


def test_there_is_an_end_to_files(draft: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_files, "MAX_FILES", 1)
    add(draft, MOVIES, FileKind.ITEM_ATTRIBUTES)
    with pytest.raises(Conflict, match="has 1 further files"):
        add(draft, TRUST, FileKind.SOCIAL)


def test_a_new_version_begins_with_everything_of_the_old_one(db: None, user: User) -> None:
    base = toy_dataset()
    Dataset.objects.filter(pk=base.pk).update(preparation={"core": 2})
    edges = EdgesMapping(kind="social", columns={"user": 0, "friend": 1}).to_json()
    blob = default_storage.save("x", bytes_file(TRUST))
    DatasetFile.objects.create(dataset=base, kind="social", filename="trust.csv", source_blob=blob, mapping=edges, data_blob="y")
    search = make_search(dataset=base)
    draft = dataset_version_start(owner=user, dataset_id=base.pk)
    assert (draft.version, draft.previous, draft.state, draft.owner) == (2, base, DatasetState.UPLOADED, user)
    assert (draft.source_blob, draft.mapping, draft.preparation) == (base.source_blob, base.mapping, {"core": 2})
    assert list(draft.files.values_list("kind", "filename", "source_blob", "mapping", "data_blob")) == [
        ("social", "trust.csv", blob, edges, "")
    ]
    search.refresh_from_db()
    assert search.dataset == base
    # A second press gives the same draft; from a draft there is nothing to begin.
    assert dataset_version_start(owner=user, dataset_id=base.pk) == draft
    with pytest.raises(Conflict, match="is not ready yet"):
        dataset_version_start(owner=user, dataset_id=draft.pk)


def test_the_buttons_of_a_ready_dataset_lead_to_a_draft(signed_in: Client) -> None:
    base = toy_dataset()
    url = reverse("dataset_version_new", args=[base.pk])
    text = signed_in.get(reverse("dataset", args=[base.pk])).content.decode()
    assert f'action="{url}"' in text
    location = signed_in.post(url, {"kind": "interactions"}).headers["Location"]
    draft = base.next_versions.get()
    assert location == f"{reverse('dataset_file_new', args=[draft.pk])}?kind=interactions"
    text = signed_in.get(location).content.decode()
    assert '<option value="interactions" selected>' in text
    assert f'name="target" value="{draft.pk}"' in text
    assert signed_in.post(url).headers["Location"] == reverse("dataset_mapping", args=[draft.pk])
    assert signed_in.post(url, {"kind": "<b>"}).headers["Location"] == reverse("dataset_mapping", args=[draft.pk])
    assert signed_in.post(reverse("dataset_version_new", args=[draft.pk])).headers["Location"] == reverse("dataset", args=[draft.pk])


def test_a_file_arrives_in_chunks_too(draft: Dataset, signed_in: Client, user: User) -> None:
    asked = {"filename": "movies.csv", "size": len(MOVIES), "target": draft.pk, "kind": "item_attributes"}
    made = signed_in.post(reverse("upload_new"), asked).json()
    sent = signed_in.patch(made["url"], MOVIES, content_type="text/csv", headers={"Upload-Offset": "0"})
    assert sent.status_code == 200
    for _ in range(2):
        assert signed_in.post(made["finish"]).json() == {"url": reverse("dataset_mapping", args=[draft.pk])}
    with default_storage.open(draft.files.get().source_blob) as file:
        assert file.read() == MOVIES
    assert signed_in.post(reverse("upload_new"), asked | {"kind": ""}).status_code == 422
    assert signed_in.post(reverse("upload_new"), asked | {"target": 10**6}).status_code == 422


def test_a_file_for_a_dataset_that_was_read_meanwhile_is_refused(draft: Dataset, signed_in: Client) -> None:
    asked = {"filename": "movies.csv", "size": len(MOVIES), "target": draft.pk, "kind": "item_attributes"}
    made = signed_in.post(reverse("upload_new"), asked).json()
    signed_in.patch(made["url"], MOVIES, content_type="text/csv", headers={"Upload-Offset": "0"})
    Dataset.objects.filter(pk=draft.pk).update(state=DatasetState.INGESTING)
    answer = signed_in.post(made["finish"])
    assert (answer.status_code, "Make a new version" in answer.json()["error"]) == (409, True)
    signed_in.delete(made["url"])
    assert (Upload.objects.count(), DatasetFile.objects.count(), Blob.objects.count()) == (0, 0, 1)


def test_the_plain_form_takes_a_file(draft: Dataset, signed_in: Client) -> None:
    url = reverse("dataset_file_new", args=[draft.pk])
    answer = signed_in.post(url, {"kind": "social", "file": SimpleUploadedFile("trust.csv", TRUST)})
    assert answer.headers["Location"] == reverse("dataset_mapping", args=[draft.pk])
    assert "user: column 1, friend: column 2" in signed_in.get(answer.headers["Location"]).content.decode()
    assert signed_in.post(url, {"kind": "social"}).status_code == 422
    bad = signed_in.post(url, {"kind": "social", "file": SimpleUploadedFile("x.csv", b"")})
    assert "is empty" in bad.content.decode()
    Dataset.objects.update(state=DatasetState.READY)
    assert signed_in.get(url).headers["Location"] == reverse("dataset", args=[draft.pk])


def test_attributes_can_be_chosen_on_the_page(draft: Dataset, signed_in: Client) -> None:
    file = add(draft, MOVIES, FileKind.ITEM_ATTRIBUTES)
    url = reverse("dataset_file", args=[draft.pk, file.pk])
    form = signed_in.get(url).context["roles"]
    assert [form[f"role_{at}"].initial for at in range(4)] == ["id", "text", "multi", "categorical"]
    chosen = {"role_0": "id", "role_1": "", "role_2": "multi", "role_3": "numeric", "separator": "|", "on_reject": "stop"}
    assert signed_in.post(url, FORMAT | chosen).headers["Location"] == reverse("dataset_mapping", args=[draft.pk])
    file.refresh_from_db()
    mapping = side_mapping(file.mapping)
    assert isinstance(mapping, AttributesMapping)
    assert [(attribute.name, attribute.type) for attribute in mapping.attributes] == [("genres", "multi"), ("year", "numeric")]
    assert mapping.on_reject == "stop"
    assert signed_in.get(url).context["roles"]["role_3"].initial == "numeric"


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"role_1": "text"}, "Choose one column for id; 0 are chosen."),
        ({"role_0": "id", "role_1": "id", "role_2": "multi"}, "Choose one column for id; 2 are chosen."),
        ({"role_0": "id"}, "Choose at least one column that describes something."),
        ({"role_0": "id", "role_1": "price"}, "Select a valid choice"),
        ({"role_0": "id", "role_1": "multi", "separator": "||||||"}, "at most 5 characters"),
    ],
)
def test_a_wrong_choice_of_attributes_is_told(draft: Dataset, signed_in: Client, chosen: dict[str, str], message: str) -> None:
    file = add(draft, MOVIES, FileKind.ITEM_ATTRIBUTES)
    response = signed_in.post(reverse("dataset_file", args=[draft.pk, file.pk]), FORMAT | chosen)
    assert response.status_code == 422
    assert message in response.content.decode()


def test_edges_can_be_chosen_on_the_page(draft: Dataset, signed_in: Client) -> None:
    file = add(draft, TRUST, FileKind.SOCIAL, "trust.csv")
    url = reverse("dataset_file", args=[draft.pk, file.pk])
    form = FORMAT | {"header": "no"}
    assert signed_in.post(url, form | {"role_0": "friend", "role_1": "user"}).status_code == 302
    file.refresh_from_db()
    assert file.mapping["columns"] == {"friend": 0, "user": 1}
    assert "Choose one column for friend; 0 are chosen." in signed_in.post(url, form | {"role_0": "user"}).content.decode()


def test_more_rows_can_be_mapped_on_the_page(draft: Dataset, signed_in: Client) -> None:
    file = add(draft, b"a,b\n1,2\n3,4\n", FileKind.INTERACTIONS, "more.csv")
    url = reverse("dataset_file", args=[draft.pk, file.pk])
    assert signed_in.post(url, FORMAT | {"role_0": "item", "role_1": "user", "part": "test"}).status_code == 302
    file.refresh_from_db()
    assert (file.mapping["columns"], file.mapping["part"]) == ({"item": 0, "user": 1}, "test")
    assert "test part" in signed_in.get(reverse("dataset_mapping", args=[draft.pk])).content.decode()


def test_files_are_found_under_their_own_dataset_only(draft: Dataset, signed_in: Client) -> None:
    file = add(draft, TRUST, FileKind.SOCIAL, "trust.csv")
    other = toy_dataset()
    assert signed_in.get(reverse("dataset_file", args=[other.pk, file.pk])).status_code == 404
    signed_in.post(reverse("dataset_file_remove", args=[other.pk, file.pk]))
    assert DatasetFile.objects.filter(pk=file.pk).exists()
    remove = reverse("dataset_file_remove", args=[draft.pk, file.pk])
    for _ in range(2):
        assert signed_in.post(remove).headers["Location"] == reverse("dataset_mapping", args=[draft.pk])
    assert not DatasetFile.objects.filter(pk=file.pk).exists()
