"""Notes that two tabs cannot lose, tags that lists are narrowed by, and an archive that hides and keeps."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.webapp.factories import make_dataset, make_search, make_space
from webapp.enums import DatasetState, SubjectKind
from webapp.models import AuditEvent, Model, Search
from webapp.selectors.annotations import annotated, tags_used
from webapp.selectors.searches import search_counts
from webapp.services.annotations import NoteChanged, archive_set, note_write, tags_of_text, tags_set
from webapp.services.errors import Conflict

SEARCH = SubjectKind.SEARCH


def write(search: Search, text: str, seen: int) -> Search:
    note_write(kind=SEARCH, subject_id=search.pk, text=text, seen=seen)
    search.refresh_from_db()
    return search


def test_a_note_is_kept_as_it_was_typed(db: None) -> None:
    search = write(make_search(), "  One line\r\n\r\n<b>another</b> 深度 \n", seen=0)
    assert (search.note, search.note_version) == ("One line\n\n<b>another</b> 深度", 1)


def test_the_second_of_two_tabs_does_not_overwrite_the_first(db: None) -> None:
    search = write(make_search(), "from the first tab", seen=0)
    with pytest.raises(NoteChanged, match="meanwhile"):
        write(search, "from the second tab", seen=0)
    search.refresh_from_db()
    assert search.note == "from the first tab"
    assert write(search, "both", seen=1).note == "both"


def test_saving_the_same_note_twice_is_no_conflict_and_told_once(db: None) -> None:
    search = make_search()
    for _ in range(2):
        write(search, "the same", seen=0)
    assert (search.note_version, AuditEvent.objects.count()) == (1, 1)


def test_tags_are_lower_case_once_and_sorted(db: None) -> None:
    search = make_search()
    tags_set(kind=SEARCH, subject_id=search.pk, tags=tags_of_text("Beta,  alpha ，GAMMA  ray；beta,, "))
    search.refresh_from_db()
    assert search.tags == ["alpha", "beta", "gamma ray"]
    assert AuditEvent.objects.get().facts == {"tags": ["alpha", "beta", "gamma ray"]}


@pytest.mark.parametrize(
    ("tags", "message"), [([f"t{n}" for n in range(21)], "At most 20 tags, but these are 21"), (["x" * 41], "40 characters")]
)
def test_tags_have_limits(db: None, tags: list[str], message: str) -> None:
    search = make_search()
    with pytest.raises(Conflict, match=message):
        tags_set(kind=SEARCH, subject_id=search.pk, tags=tags)
    search.refresh_from_db()
    assert search.tags == []


def test_tags_are_counted_among_what_is_listed(db: None) -> None:
    for tags, archived in ((["a", "b"], False), (["a"], False), (["a", "c"], True)):
        search = make_search(tags=tags, state="finished")
        archive_set(kind=SEARCH, subject_id=search.pk, archived=archived)
    assert tags_used(annotated(Search.objects.all(), archived=False)) == [("a", 2), ("b", 1)]
    assert tags_used(annotated(Search.objects.all(), archived=True)) == [("a", 1), ("c", 1)]
    assert search_counts(tag="b") == {"finished": 1}


def test_a_search_that_is_not_over_is_not_archived(db: None) -> None:
    search = make_search(state="paused")
    with pytest.raises(Conflict, match="not over"):
        archive_set(kind=SEARCH, subject_id=search.pk, archived=True)


def test_archiving_keeps_everything_and_is_undone(db: None) -> None:
    search = make_search(state="finished", name="Evening run")
    before = Search.objects.values().get()
    for archived in (True, True, False):
        archive_set(kind=SEARCH, subject_id=search.pk, archived=archived)
    assert Search.objects.values().get() == before
    assert list(AuditEvent.objects.order_by("id").values_list("verb", flat=True)) == ["archive", "unarchive"]


def things() -> list[tuple[str, Any, str, str]]:
    """Kind, row, its page and its list."""
    model = Model.objects.create(name="films")
    dataset = make_dataset(name="Shop", state=DatasetState.UPLOADED)  # not read, so its page needs no profile
    space, search = make_space(name="Small"), make_search(name="Evening run", state="finished")
    return [
        ("dataset", dataset, reverse("dataset", args=[dataset.pk]), reverse("datasets")),
        ("space", space, reverse("space", args=[space.pk]), reverse("spaces")),
        ("search", search, reverse("search", args=[search.pk]), reverse("searches")),
        ("model", model, reverse("model", args=["films"]), reverse("models")),
    ]


def test_each_kind_is_annotated_from_its_page_and_narrowed_in_its_list(signed_in: Client) -> None:
    for kind, row, page, listed in things():
        if kind == "model":
            continue  # its list shows models with versions alone; see below
        signed_in.post(reverse("annotation_tags", args=[kind, row.pk]), {"tags": "Good, old"})
        response = signed_in.post(reverse("annotation_note", args=[kind, row.pk]), {"text": "Seen\nby <b>Ada</b>", "seen": 0})
        assert (response.status_code, response.headers["Location"]) == (302, page), kind
        assert row.name in signed_in.get(listed, {"tag": "good"}).content.decode(), kind
        assert (
            row.name
            not in signed_in.get(listed, {"tag": "bad"}).content.decode().partition("</nav>\n</section>")[0].split('id="presets"')[0]
        ), kind
        signed_in.post(reverse("annotation_archive", args=[kind, row.pk, "archive"]))
        hidden = signed_in.get(listed).content.decode()
        assert f'href="{page}"' not in hidden and "1 archived" in hidden, kind
        assert f'href="{page}"' in signed_in.get(listed, {"archived": "1"}).content.decode(), kind
        signed_in.post(reverse("annotation_archive", args=[kind, row.pk, "unarchive"]))
        assert f'href="{page}"' in signed_in.get(listed).content.decode(), kind


def test_each_page_shows_what_is_written_and_where_to_write_it(signed_in: Client) -> None:
    for kind, row, page, listed in things():
        empty = signed_in.get(page).content.decode()
        assert "Write a note or tags" in empty and "Change the note or the tags" not in empty, kind
        type(row).objects.filter(pk=row.pk).update(note="Seen\nby <b>Ada</b>", note_version=3, tags=["r&d"])
        text = signed_in.get(page).content.decode()
        assert "Seen<br>by &lt;b&gt;Ada&lt;/b&gt;" in text and 'name="seen" value="3"' in text, kind
        for action in ("note", "tags"):
            assert f'action="{reverse(f"annotation_{action}", args=[kind, row.pk])}"' in text, (kind, action)
        assert f'action="{reverse("annotation_archive", args=[kind, row.pk, "archive"])}"' in text, kind
        assert f'href="{listed}?tag=r%26d"' in text and f"{reverse('activity')}?kind={kind}&amp;subject={row.pk}" in text, kind


def test_the_panel_stands_outside_the_form_of_a_space(signed_in: Client) -> None:
    space = make_space(name="Small")
    text = signed_in.get(reverse("space", args=[space.pk])).content.decode()
    assert text.index('class="space-form"') < text.index("</form>", text.index('class="space-form"')) < text.index('id="annotations"')
    assert 'id="annotations"' not in signed_in.get(reverse("space_new")).content.decode(), "nothing is saved yet"


def test_the_first_of_two_tabs_wins_and_the_second_is_shown_both(signed_in: Client) -> None:
    for kind, row, page, _ in things():
        tabs = [
            re.search(r'name="seen" value="([0-9]+)"', part)
            for part in (signed_in.get(page).content.decode().partition('id="annotations"')[2],) * 2
        ]
        url = reverse("annotation_note", args=[kind, row.pk])
        first, second = (
            signed_in.post(url, {"text": text, "seen": tab[1]}) for text, tab in zip(("first", "second"), tabs, strict=True) if tab
        )
        assert (first.status_code, second.status_code) == (302, 409), kind
        row.refresh_from_db()
        assert row.note == "first" and "first" in second.content.decode() and "second</textarea>" in second.content.decode(), kind


def test_a_model_is_annotated_from_its_page(signed_in: Client, db: None) -> None:
    model = Model.objects.create(name="films")
    response = signed_in.post(reverse("annotation_tags", args=["model", model.pk]), {"tags": "served"})
    assert response.headers["Location"] == reverse("model", args=["films"])
    model.refresh_from_db()
    assert model.tags == ["served"]


def test_a_conflict_shows_both_notes_and_saves_when_sent_again(signed_in: Client, db: None) -> None:
    search = write(make_search(), "theirs & more", seen=0)
    url = reverse("annotation_note", args=["search", search.pk])
    response = signed_in.post(url, {"text": "mine", "seen": 0})
    text = response.content.decode()
    assert response.status_code == 409
    assert "theirs &amp; more" in text and "mine</textarea>" in text and 'name="seen" value="1"' in text
    assert signed_in.post(url, {"text": "mine and theirs", "seen": 1}).status_code == 302
    search.refresh_from_db()
    assert search.note == "mine and theirs"


def test_bad_input_is_answered(signed_in: Client, db: None) -> None:
    search = make_search()
    url = reverse("annotation_note", args=["search", search.pk])
    long = signed_in.post(url, {"text": "x" * 20_001, "seen": 0})
    assert long.status_code == 422 and "at most 20000 characters" in long.content.decode()
    assert signed_in.post(url, {"text": "a\0b", "seen": 0}).status_code == 422
    assert signed_in.post(url, {"text": "a"}).status_code == 422
    assert signed_in.post(reverse("annotation_note", args=["search", 10**17]), {"text": "a", "seen": 0}).status_code == 404
    assert signed_in.post(reverse("annotation_tags", args=["search", search.pk]), {"tags": "x" * 2001}).status_code == 302
    assert signed_in.get(reverse("annotation_tags", args=["search", search.pk])).status_code == 405
    assert signed_in.get("/searches/?tag=%00&archived=x").status_code == 200


def test_a_tag_with_any_characters_finds_its_own(signed_in: Client, db: None) -> None:
    search = make_search(name="Evening run", tags=['50% "off" & <new>', "新"])
    for tag in search.tags:
        assert "Evening run" in signed_in.get(reverse("searches"), {"tag": tag}).content.decode()
