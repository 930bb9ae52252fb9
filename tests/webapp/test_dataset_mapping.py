from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from gnn.preparation import Preparation
from gnn.sources import Mapping
from tests.toy_dataset import toy_csv
from webapp.blobs import bytes_file
from webapp.enums import DatasetState, PreviewState
from webapp.forms.preparation import PreparationForm
from webapp.models import Dataset, DatasetFile, MappingTemplate, PreparationPreview
from webapp.queue import INGEST_DATASET, PREVIEW_PREPARATION, app
from webapp.selectors.datasets import dataset_interactions
from webapp.selectors.mapping_templates import template_for
from webapp.services import mapping_templates
from webapp.services.datasets import dataset_ingest, dataset_upload
from webapp.services.errors import Conflict
from webapp.services.mapping_templates import template_remember
from webapp.services.previews import preview_ask, preview_compute

CSV = b"".join(b"%s,%s,%d,%s\n" % row for row in [(b"ann", b"tea", 5, b"2024-01-01"), (b"bob", b"jam", 1, b"2024-02-01")] * 3)
HEADED = b"who,what,stars,seen\n" + CSV
FORMAT = {"source": "delimited", "delimiter": "comma", "header": "yes", "encoding": "utf-8"}
ROLES = {"role_0": "user", "role_1": "item", "role_2": "weight", "role_3": "timestamp"}
N = toy_csv().count(b"\n") - 1


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    messages: list[tuple[str, Any]] = []
    monkeypatch.setattr(app, "send_task", lambda task, args, queue: messages.append((task, args)))
    return messages


def stored(content: bytes, filename: str = "toy.csv", owner: User | None = None) -> Dataset:
    return dataset_upload(owner=owner, name="", filename=filename, file=bytes_file(content))


def url_of(dataset: Dataset) -> str:
    return reverse("dataset_mapping", args=[dataset.pk])


def selected(text: str, name: str) -> str:
    field = re.search(rf'<select name="{name}".*?</select>', text, re.DOTALL)
    assert field is not None
    return "".join(re.findall(r'<option value="([^"]*)" selected', field[0]))


def test_the_page_shows_format_types_and_confidence(signed_in: Client) -> None:
    text = signed_in.get(url_of(stored(toy_csv()))).content.decode()
    assert "Text divided by comma , · 4 columns · all of the first rows fit" in text
    assert "User, 95% sure" in text
    assert escape("the column is named 'user'") in text
    assert re.search(r"whole numbers, \d – 5<", text)
    assert "times: Unix seconds" in text
    assert [selected(text, f"role_{at}") for at in range(4)] == ["user", "item", "weight", "timestamp"]


def test_the_page_says_how_many_of_the_first_rows_fit(signed_in: Client) -> None:
    text = signed_in.get(url_of(stored(toy_csv() + b"u1,i1\n"))).content.decode()
    assert "99% of the first rows fit; the others will be rejected" in text
    # A delimiter that a person chose is judged as well.
    text = signed_in.get(url_of(stored(CSV + b"a;b\n")), FORMAT | {"delimiter": "semicolon", "header": "no"}).content.decode()
    assert "85% of the first rows fit" in text


def test_lines_above_the_table_are_shown_and_can_be_changed(signed_in: Client, sent: list[Any]) -> None:
    title = b"Sales report <2024>\n\n"
    dataset = stored(b"sep=,\n" + title + HEADED)
    text = signed_in.get(url_of(dataset)).content.decode()
    assert "lines 1 to 3 are skipped (“sep=,” …)" in text
    assert re.search(r'name="skip" value="3"', text)
    signed_in.post(url_of(dataset), FORMAT | ROLES | {"skip": "3"})
    ready = dataset_ingest(dataset_id=dataset.pk)
    assert ready.mapping["skip_lines"] == 3
    # Two users are too few for a dataset: every row was read, and no line above the table was.
    assert "this one has 2 user(s), 2 item(s) and 6 interaction(s)" in ready.message
    # A person says that a line more is above: it is no row then, and the page keeps to that.
    text = signed_in.get(url_of(dataset), FORMAT | {"skip": "4", "header": "no"}).content.decode()
    assert "lines 1 to 4 are skipped" in text and "what" not in text.split("Columns and first rows")[1]
    signed_in.post(url_of(dataset), FORMAT | ROLES | {"skip": "5", "header": "no"})
    assert "and 5 interaction(s)" in dataset_ingest(dataset_id=dataset.pk).message
    text = signed_in.get(url_of(dataset)).content.decode()
    assert "lines 1 to 5 are skipped" in text
    assert "no row below the first 99 line(s)" in signed_in.get(url_of(dataset), FORMAT | {"skip": "99"}).content.decode()
    assert signed_in.get(url_of(dataset), FORMAT | {"skip": "-1"}).status_code == 422
    one = signed_in.get(url_of(stored(title[:20] + HEADED))).content.decode()
    assert escape("line 1 is skipped (“Sales report <2024>”)") in one


def test_numbers_whose_commas_are_not_clear_are_told_and_the_choice_is_kept(signed_in: Client, sent: list[Any]) -> None:
    rows = b"".join(b'u%d,i%d,"%d,%03d"\n' % (at % 30, at // 2, at % 9 + 1, at) for at in range(120))
    dataset = stored(b"user,item,plays\n" + rows)
    text = signed_in.get(url_of(dataset)).content.decode()
    assert escape("In column 'plays' the comma of numbers such as 1,000 may be the decimal sign or divide thousands.") in text
    assert selected(text, "numbers") == ""
    roles = {"role_0": "user", "role_1": "item", "role_2": "weight"}
    signed_in.post(url_of(dataset), FORMAT | roles | {"numbers": "1,234.5"})
    ready = dataset_ingest(dataset_id=dataset.pk)
    assert ready.state == DatasetState.READY, ready.message
    assert dataset_interactions(ready).weight.max() == 9116  # type: ignore[union-attr]
    Dataset.objects.update(state=DatasetState.INVALID)  # the page shows the choice again
    assert selected(signed_in.get(url_of(dataset)).content.decode(), "numbers") == "1,234.5"


def test_every_kind_of_file_has_a_page(signed_in: Client) -> None:
    lists = b"".join(b"%d %s\n" % (user, b" ".join(b"%d" % item for item in range(user % 4 + 2))) for user in range(20))
    for content, filename, shown in (
        (lists, "train.txt", "Lists of items"),
        (b'{"user": "a", "item": "b"}\n{"user": "c", "item": "d"}\n', "log.jsonl", "JSON lines"),
        (b"user_id:token\titem_id:token\na\tb\nc\td\n", "toy.inter", "RecBole"),
        (b"1::2::5::978300760\n2::3::4::978300761\n", "ratings.dat", "2"),
    ):
        page = signed_in.get(url_of(stored(content, filename)))
        assert page.status_code == 200
        assert shown in page.content.decode()
        assert 'form="preview"' in page.content.decode()


def test_lists_of_items_need_no_columns(signed_in: Client, sent: list[Any], django_capture_on_commit_callbacks: Any) -> None:
    lists = b"".join(b"%d %s\n" % (user, b" ".join(b"%d" % item for item in range(user % 4 + 2))) for user in range(20))
    dataset = stored(lists, "train.txt")
    with django_capture_on_commit_callbacks(execute=True):
        assert signed_in.post(url_of(dataset), {"source": "adjacency", "encoding": "utf-8"}).status_code == 302
    dataset.refresh_from_db()
    assert (dataset.state, dataset.mapping["columns"]) == (DatasetState.INGESTING, {})


def test_another_sign_divides_the_fields(signed_in: Client) -> None:
    dataset = stored(toy_csv().replace(b",", b"^"))
    page = signed_in.get(url_of(dataset), FORMAT | {"delimiter": "other", "sign": "^"})
    assert [column.name for column in page.context["detected"].columns] == ["user", "item", "rating", "timestamp"]
    for sign in ("a", '"', "", "^^"):
        page = signed_in.get(url_of(dataset), FORMAT | {"delimiter": "other", "sign": sign})
        assert page.status_code == 422
        assert page.context["format"].errors["sign"]


def test_a_mapping_is_remembered_for_files_of_the_same_shape(signed_in: Client, user: User, sent: list[Any]) -> None:
    odd = {"role_0": "item", "role_1": "user", "role_2": "", "role_3": "timestamp", "on_reject": "stop"}
    first = stored(HEADED, "january.csv")
    assert signed_in.post(url_of(first), FORMAT | odd).status_code == 302
    first.refresh_from_db()
    assert first.mapping["on_reject"] == "stop"

    second = stored(HEADED + b"cid,tea,3,2024-03-01\n", "february.csv")
    text = signed_in.get(url_of(second)).content.decode()
    assert "Filled in as you read january.csv, a file of the same shape." in text
    assert [selected(text, name) for name in ("role_0", "role_1", "role_2", "role_3", "on_reject")] == [
        "item",
        "user",
        "",
        "timestamp",
        "stop",
    ]
    text = signed_in.get(url_of(second), {"template": "no"}).content.decode()
    assert "Filled in as" not in text
    assert selected(text, "role_0") != "item"

    other_shape = stored(HEADED.replace(b"seen", b"day"))
    assert "Filled in as" not in signed_in.get(url_of(other_shape)).content.decode()
    somebody = Client()
    somebody.force_login(User.objects.create_user("bob"))
    assert "Filled in as" not in somebody.get(url_of(second)).content.decode()


def test_the_newest_template_of_a_shape_counts_and_old_ones_go(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping_templates, "KEPT", 3)
    for at in range(5):
        for delimiter in (";", ","):
            mapping = Mapping(delimiter=delimiter, has_header=True, columns={"user": 0, "item": 1})
            template_remember(owner=user, shape=str(at), mapping=mapping, filename=f"{at}.csv")
    assert set(MappingTemplate.objects.values_list("shape", flat=True)) == {"2", "3", "4"}
    assert template_for(owner=user, shape="4") == (mapping, "4.csv")
    MappingTemplate.objects.update(mapping={"delimiter": "dots"})
    assert template_for(owner=user, shape="4") is None


def test_the_preparation_is_stored_with_the_mapping(signed_in: Client, sent: list[Any], django_capture_on_commit_callbacks: Any) -> None:
    dataset = stored(toy_csv())
    wanted = {"prepare-core": "2", "prepare-min_weight": "3", "prepare-implicit": "on", "prepare-last_day": "1970-01-02"}
    with django_capture_on_commit_callbacks(execute=True):
        assert signed_in.post(url_of(dataset), FORMAT | ROLES | wanted).status_code == 302
    dataset.refresh_from_db()
    assert Preparation.from_json(dataset.preparation) == Preparation(core=2, min_weight=3, implicit=True, last_time=2 * 86_400 - 1)
    assert sent == [(INGEST_DATASET, (dataset.pk,))]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"prepare-core": "0"}, "greater than or equal to 1"),
        ({"prepare-sample": "101"}, "less than or equal to 100"),
        ({"prepare-first_day": "2024-02-01", "prepare-last_day": "2024-01-01"}, "before it starts"),
        ({"prepare-min_weight": "many"}, "Enter a number"),
        ({"prepare-min_weight": "inf"}, "Enter a number"),
        ({"prepare-duplicates": "random"}, "Select a valid choice"),
    ],
)
def test_a_preparation_that_cannot_be_is_told_and_starts_nothing(
    signed_in: Client, sent: list[Any], wanted: dict[str, str], message: str
) -> None:
    dataset = stored(toy_csv())
    for action in ("", "preview"):
        response = signed_in.post(url_of(dataset), FORMAT | ROLES | wanted | {"action": action})
        assert response.status_code == 422
        assert message in response.content.decode().split('id="effect"')[1]
    dataset.refresh_from_db()
    assert (dataset.state, PreparationPreview.objects.count()) == (DatasetState.UPLOADED, 0)


def test_what_the_form_shows_is_what_it_reads(db: None) -> None:
    for preparation in (
        Preparation(),
        Preparation(
            positive_labels=True, behaviours=("cart", "buy"), min_weight=0.0, implicit=True, first_time=0, last_time=86_399,
            duplicates="sum", sample=0.25, seed=0, core=3, min_per_user=4,
        ),
    ):  # fmt: skip
        values = PreparationForm.values(preparation)
        data = {f"prepare-{name}": value for name, value in values.items() if value is not None and value is not False}
        form = PreparationForm(data)
        assert form.is_valid(), form.errors
        assert form.preparation == preparation


def test_a_preview_counts_what_each_step_leaves(signed_in: Client, sent: list[Any], django_capture_on_commit_callbacks: Any) -> None:
    dataset = stored(toy_csv() + b"u1,i1,many,1\n")
    asked = FORMAT | ROLES | {"prepare-min_weight": "4", "action": "preview"}
    with django_capture_on_commit_callbacks(execute=True):
        page = signed_in.post(url_of(dataset), asked)
    assert sent == [(PREVIEW_PREPARATION, (dataset.pk,))]
    counts = reverse("preparation_preview", args=[dataset.pk])
    assert f'hx-get="{counts}"' in page.content.decode()
    dataset.refresh_from_db()
    assert dataset.state == DatasetState.UPLOADED

    preview_compute(dataset_id=dataset.pk)
    text = signed_in.get(counts).content.decode()
    at_least_4 = sum(int(line.split(b",")[2]) >= 4 for line in toy_csv().splitlines()[1:])
    assert f'weight at least 4</th><td class="num">60</td><td class="num">40</td><td class="num">{at_least_4}</td>' in text
    assert "1 row was rejected before." in text
    assert "hx-get" not in text

    # The same again is known; another one is counted anew.
    with django_capture_on_commit_callbacks(execute=True):
        assert "weight at least 4" in signed_in.post(url_of(dataset), asked).content.decode()
        assert len(sent) == 1
        assert "weight at least" not in signed_in.post(url_of(dataset), asked | {"prepare-core": "2"}).content.decode()
    assert len(sent) == 2


def test_a_preview_that_leaves_nothing_says_so(signed_in: Client, sent: list[Any]) -> None:
    dataset = stored(toy_csv())
    signed_in.post(url_of(dataset), FORMAT | ROLES | {"prepare-min_weight": "9", "action": "preview"})
    preview_compute(dataset_id=dataset.pk)
    text = signed_in.get(reverse("preparation_preview", args=[dataset.pk])).content.decode()
    assert escape("Nothing is left after the preparation step “weight at least 9”") in text


def test_a_preview_counts_further_files_too(db: None, sent: list[Any]) -> None:
    dataset = stored(toy_csv())
    mapping = Mapping(delimiter=",", has_header=True, columns={"user": 0, "item": 1})
    more = default_storage.save("x", bytes_file(b"user,item\nnew,i1\n"))
    DatasetFile.objects.create(dataset=dataset, kind="interactions", filename="m.csv", source_blob=more, mapping=mapping.to_json())
    preview_ask(dataset_id=dataset.pk, mapping=mapping, preparation=Preparation())
    preview_compute(dataset_id=dataset.pk)
    assert PreparationPreview.objects.get().steps[0] | {"label": ""} == {
        "name": "read", "label": "", "users": 61, "items": 40, "interactions": N + 1,
    }  # fmt: skip


def test_a_late_preview_does_not_answer_another_question(db: None, sent: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = stored(toy_csv())
    mapping = Mapping(delimiter=",", has_header=True, columns={"user": 0, "item": 1})
    preview_ask(dataset_id=dataset.pk, mapping=mapping, preparation=Preparation())
    opened = default_storage.open

    def open_late(name: str) -> Any:
        monkeypatch.undo()
        preview_ask(dataset_id=dataset.pk, mapping=mapping, preparation=Preparation(core=2))
        return opened(name)

    monkeypatch.setattr(default_storage, "open", open_late)
    preview_compute(dataset_id=dataset.pk)
    preview = PreparationPreview.objects.get()
    assert (preview.state, preview.steps) == (PreviewState.QUEUED, [])
    preview_compute(dataset_id=dataset.pk)
    assert PreparationPreview.objects.get().state == PreviewState.READY
    preview_compute(dataset_id=dataset.pk)
    Dataset.objects.update(state=DatasetState.READY)
    with pytest.raises(Conflict, match="already being read"):
        preview_ask(dataset_id=dataset.pk, mapping=mapping, preparation=Preparation(core=3))


def test_a_deleted_dataset_under_an_open_page_is_not_found(signed_in: Client) -> None:
    dataset = stored(toy_csv())
    url, counts = url_of(dataset), reverse("preparation_preview", args=[dataset.pk])
    dataset.delete()
    assert signed_in.get(url).status_code == 404
    assert signed_in.post(url, FORMAT | ROLES).status_code == 404
    assert signed_in.get(counts).status_code == 404


def test_a_file_that_is_gone_is_told(signed_in: Client) -> None:
    dataset = stored(toy_csv())
    default_storage.delete(dataset.source_blob)
    for response in (signed_in.get(url_of(dataset)), signed_in.post(url_of(dataset), FORMAT | ROLES)):
        assert "There is no blob" in response.content.decode()
        assert 'form="preview"' not in response.content.decode()
