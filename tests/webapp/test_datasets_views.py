from __future__ import annotations

import gzip
import json
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from tests.toy_dataset import toy_csv, toy_dataset
from webapp.enums import DatasetState
from webapp.models import Blob, Dataset
from webapp.queue import INGEST_DATASET, app
from webapp.services.datasets import dataset_ingest


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    messages: list[tuple[str, Any]] = []
    monkeypatch.setattr(app, "send_task", lambda task, args, queue: messages.append((task, args)))
    return messages


def upload(client: Client, content: bytes, filename: str = "toy.csv", **more: Any) -> Any:
    return client.post(reverse("dataset_upload"), {"file": SimpleUploadedFile(filename, content), "name": ""}, **more)


def uploaded(client: Client, content: bytes, filename: str = "toy.csv") -> Dataset:
    response = upload(client, content, filename)
    dataset = Dataset.objects.latest("pk")
    assert response.headers["Location"] == reverse("dataset_mapping", args=[dataset.pk])
    return dataset


N = toy_csv().count(b"\n") - 1
"""Interactions of the toy file."""
COLUMNS = {"role_0": "user", "role_1": "item", "role_2": "weight", "role_3": "timestamp"}
FORMAT = {"source": "delimited", "delimiter": "comma", "header": "yes", "encoding": "utf-8"}


def test_every_page_asks_for_a_login(client: Client, db: None) -> None:
    dataset = toy_dataset()
    for name, args in (("datasets", []), ("dataset_upload", []), ("dataset", [dataset.pk]), ("dataset_mapping", [dataset.pk])):
        url = reverse(name, args=args)
        for response in (client.get(url), client.post(url)):
            assert response.status_code == 302
            assert response.headers["Location"] == f"{reverse('login')}?next={url}"


def test_from_file_to_ready_in_the_browser(signed_in: Client, sent: list[Any], django_capture_on_commit_callbacks: Any) -> None:
    dataset = uploaded(signed_in, gzip.compress(toy_csv()), "toy.csv.gz")
    assert dataset.owner is not None and dataset.owner.username == "ada"
    page = signed_in.get(reverse("dataset_mapping", args=[dataset.pk]))
    assert page.context["roles"].detected.rows[0][0] == "u0"
    text = page.content.decode()
    assert "User, 95% sure" in text
    assert escape("the column is named 'user'") in text
    assert re.search(r'<select name="role_0".*?<option value="user" selected>', text, re.DOTALL)
    assert "compressed with gzip" in text

    with django_capture_on_commit_callbacks(execute=True):
        response = signed_in.post(reverse("dataset_mapping", args=[dataset.pk]), FORMAT | COLUMNS)
    assert response.headers["Location"] == reverse("dataset", args=[dataset.pk])
    assert sent == [(INGEST_DATASET, (dataset.pk,))]
    url = reverse("dataset", args=[dataset.pk])
    assert "Reading the file" in signed_in.get(url).content.decode()
    assert signed_in.get(url, headers={"HX-Request": "true"}).status_code == 204

    dataset_ingest(dataset_id=dataset.pk)
    assert signed_in.get(url, headers={"HX-Request": "true"}).headers["HX-Refresh"] == "true"
    text = signed_in.get(url).content.decode()
    assert f"<dd>{N}</dd>" in text
    assert f'href="{reverse("search_new")}?dataset={dataset.pk}"' in text
    figures = re.findall(r'<script id="figure-(\w+)" type="application/json">(.*?)</script>', text, re.DOTALL)
    assert [name for name, _ in figures] == ["tail", "degrees", "weights", "timeline", "cold"]
    assert sum(json.loads(dict(figures)["weights"])["data"][0]["y"]) == N
    for name, _ in figures:
        assert f'data-chart="figure-{name}"' in text


@pytest.mark.parametrize(
    ("content", "filename", "message"),
    [
        (b"", "empty.csv", "The file empty.csv is empty"),
        (b"user,item\n", "header.csv", "has only a header"),
        (b"\x89PNG\r\n\x1a\n\0\0", "cat.png", "is a PNG picture"),
        (b"\0\1\2", "blob.csv", "is binary: byte 1 is NUL"),
        (gzip.compress(toy_csv())[:-20], "cut.csv.gz", "ends too early"),
        (toy_csv(), "plain.csv.gz", "is named .gz, but its content is not gzip"),
        (b"one\ntwo\nthree\n", "single.csv", "has a single column"),
    ],
)
def test_a_bad_file_is_a_form_error_and_stores_nothing(signed_in: Client, content: bytes, filename: str, message: str) -> None:
    response = upload(signed_in, content, filename)
    assert response.status_code == 422
    assert message in response.context["form"].errors["file"][0]
    assert escape(message) in response.content.decode()
    assert (Dataset.objects.count(), Blob.objects.count()) == (0, 0)


def test_no_file_is_a_form_error(signed_in: Client) -> None:
    response = signed_in.post(reverse("dataset_upload"), {"name": "x"})
    assert response.context["form"].errors == {"file": ["Choose a file."]}


def test_a_request_over_the_limit_is_dropped_with_a_clear_message(signed_in: Client, settings: Any) -> None:
    settings.RECSMITH_UPLOAD_LIMIT_MB = 1
    response = upload(signed_in, b"1,2\n" * 600_000)
    assert response.status_code == 413
    assert "The file is larger than 1 MB, the limit of this server." in response.content.decode()
    response = upload(signed_in, b"1,2\n" * 300_000)
    assert response.status_code == 422
    assert "at most 1 MB can be uploaded" in response.content.decode()
    assert Dataset.objects.count() == 0


def test_the_upload_page_needs_the_csrf_token(user: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    assert upload(client, toy_csv()).status_code == 403
    token = client.get(reverse("dataset_upload")).cookies["csrftoken"].value
    assert upload(client, toy_csv(), headers={"X-CSRFToken": token}).status_code == 302


def test_delimiter_and_header_can_be_changed_and_previewed(signed_in: Client) -> None:
    dataset = uploaded(signed_in, toy_csv())
    url = reverse("dataset_mapping", args=[dataset.pk])
    page = signed_in.get(url, FORMAT | {"header": "no"})
    assert page.context["detected"].rows[0] == ("user", "item", "rating", "timestamp")
    assert [column.name for column in page.context["detected"].columns][:2] == ["column 1", "column 2"]
    page = signed_in.get(url, FORMAT | {"delimiter": "tab"})
    assert "Divided by tab, the rows have a single column. Choose another delimiter." in page.content.decode()
    assert signed_in.get(url, FORMAT | {"delimiter": "dots"}).status_code == 422


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"role_1": ""}, "Choose the column that holds the item."),
        ({"role_0": "", "role_1": ""}, "Choose the column that holds the user."),
        ({"role_3": "item"}, "Only one column can be the item, but “item” and “timestamp” are."),
    ],
)
def test_a_wrong_choice_of_columns_is_told_and_starts_nothing(
    signed_in: Client, sent: list[Any], changes: dict[str, str], message: str
) -> None:
    dataset = uploaded(signed_in, toy_csv())
    response = signed_in.post(reverse("dataset_mapping", args=[dataset.pk]), FORMAT | COLUMNS | changes)
    assert response.status_code == 422
    assert message in response.content.decode()
    dataset.refresh_from_db()
    assert dataset.state == DatasetState.UPLOADED


def test_an_unknown_role_or_unit_is_refused(signed_in: Client) -> None:
    dataset = uploaded(signed_in, toy_csv())
    url = reverse("dataset_mapping", args=[dataset.pk])
    assert signed_in.post(url, FORMAT | COLUMNS | {"role_2": "price"}).status_code == 422
    assert signed_in.post(url, FORMAT | COLUMNS | {"timestamp_unit": "weeks"}).status_code == 422
    assert signed_in.post(url, FORMAT | {"delimiter": "dots"}).status_code == 422
    assert signed_in.post(url).status_code == 422


def test_an_invalid_dataset_says_why_and_leads_back_to_the_columns(signed_in: Client, sent: list[Any]) -> None:
    dataset = uploaded(signed_in, toy_csv())
    url = reverse("dataset_mapping", args=[dataset.pk])
    signed_in.post(url, FORMAT | {"role_0": "user", "role_1": "weight", "role_2": "item"})
    dataset_ingest(dataset_id=dataset.pk)
    text = signed_in.get(reverse("dataset", args=[dataset.pk])).content.decode()
    assert escape(f"None of the {N} rows can be used: {N} × weight is not a number (first at line 2, column item: 'i") in text
    assert f'href="{url}"' in text
    page = signed_in.get(url)
    assert "The last try failed." in page.content.decode()
    assert page.context["roles"]["role_1"].initial == "weight"
    assert signed_in.post(url, FORMAT | COLUMNS).status_code == 302
    assert dataset_ingest(dataset_id=dataset.pk).state == DatasetState.READY


def test_confirming_twice_is_as_good_as_once(signed_in: Client, sent: list[Any], django_capture_on_commit_callbacks: Any) -> None:
    dataset = uploaded(signed_in, toy_csv())
    url = reverse("dataset_mapping", args=[dataset.pk])
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(2):
            assert signed_in.post(url, FORMAT | COLUMNS).headers["Location"] == reverse("dataset", args=[dataset.pk])
    assert len(sent) == 1
    dataset_ingest(dataset_id=dataset.pk)
    assert signed_in.get(url).headers["Location"] == reverse("dataset", args=[dataset.pk])
    page = signed_in.post(url, FORMAT | COLUMNS | {"role_2": ""}, follow=True)
    assert "is ready and does not change any more" in page.content.decode()


def test_duplicate_names_can_be_told_apart_by_position(signed_in: Client, sent: list[Any]) -> None:
    content = toy_csv().replace(b"rating", b"user", 1)
    dataset = uploaded(signed_in, content)
    url = reverse("dataset_mapping", args=[dataset.pk])
    assert escape("2 columns are named 'user' (columns 1, 3).") in signed_in.get(url).content.decode()
    signed_in.post(url, FORMAT | COLUMNS)
    assert dataset_ingest(dataset_id=dataset.pk).profile["users"] == 60


def test_rejects_and_notes_are_on_the_page(signed_in: Client, sent: list[Any]) -> None:
    dataset = uploaded(signed_in, toy_csv() + b"u1,<b>x</b>,many,1\n,i1,3,1\n")
    signed_in.post(reverse("dataset_mapping", args=[dataset.pk]), FORMAT | COLUMNS)
    dataset_ingest(dataset_id=dataset.pk)
    text = signed_in.get(reverse("dataset", args=[dataset.pk])).content.decode()
    assert f"{N + 2} rows read = {N} kept + 2 rejected." in text
    assert f"line {N + 2}, rating: <code>many</code>" in text
    assert f"line {N + 3}, user: <code>(empty)</code>" in text
    assert "A random split lets a model learn from the future" in text
    assert f"{N} interactions are few" in text


def test_markup_in_names_and_cells_stays_text(signed_in: Client) -> None:
    dataset = uploaded(signed_in, b"user,<script>alert(1)</script>\nu1,<img src=x>\nu2,i2\n", "<i>.csv")
    text = signed_in.get(reverse("dataset_mapping", args=[dataset.pk])).content.decode()
    assert "<script>alert" not in text
    assert "<img src=x>" not in text


def test_the_list_shows_and_filters_datasets(signed_in: Client, django_assert_max_num_queries: Any) -> None:
    assert "No dataset yet" in signed_in.get(reverse("datasets")).content.decode()
    toy_dataset()
    for at in range(30):
        Dataset.objects.create(name=f"copy {at}", filename="x.csv", source_blob="x")
    with django_assert_max_num_queries(6):
        page = signed_in.get(reverse("datasets"))
    assert [dataset.name for dataset in page.context["page"]] == [f"copy {at}" for at in range(29, 4, -1)]
    text = signed_in.get(reverse("datasets"), {"q": "TOY"}).content.decode()
    assert text.count("<tr>") == 2
    assert f'<td class="num">{N}</td>' in text
    assert signed_in.get(reverse("datasets"), {"q": "\0", "page": "x"}).status_code == 200


def test_an_unknown_dataset_is_not_found(signed_in: Client, db: None) -> None:
    assert signed_in.get(reverse("dataset", args=[12345])).status_code == 404
    assert signed_in.post(reverse("dataset_mapping", args=[12345])).status_code == 404
