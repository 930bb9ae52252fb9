"""The page of what was done, and the page of what a text finds."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from gnn.catalogue import describe, preset_space
from gnn.space import Architecture
from tests.webapp.factories import make_dataset, make_search, make_space, make_trial, make_trials
from webapp.enums import AuditVerb
from webapp.models import Model, Trial
from webapp.selectors.find import MOST, find
from webapp.services.audit import Actor, acting, event_record
from webapp.services.spaces import space_delete


def done(verb: AuditVerb, row: Any, name: str = "", token: str = "", **facts: Any) -> None:
    with acting(lambda: Actor(name=name, token=token)):
        event_record(verb, row, **facts)


def test_the_page_tells_who_did_what_with_links_to_what_is_there(signed_in: Client) -> None:
    search, space = make_search(name="Evening run"), make_space(name="Small")
    done(AuditVerb.EXTEND, search, "ada", "nightly", trials=20, planned=30)
    done(AuditVerb.CREATE, space, "bob")
    space_delete(space_id=space.pk)
    text = signed_in.get(reverse("activity")).content.decode()
    assert f'<a href="{reverse("search", args=[search.pk])}">Evening run</a>' in text
    for words in ("by token nightly", "trials more: 20", "A command on the server", "deleted since", "bob"):
        assert words in text, words
    assert f'href="{reverse("space", args=[space.pk])}"' not in text, "it is deleted"


def test_the_page_is_narrowed_and_keeps_that_in_its_address(signed_in: Client) -> None:
    first, second = make_search(name="First"), make_search(name="Second")
    done(AuditVerb.PAUSE, first, "ada")
    done(AuditVerb.STOP, second, "bob")
    done(AuditVerb.UPLOAD, make_dataset(name="Shop"))

    def shown(**query: Any) -> set[str]:
        text = signed_in.get(reverse("activity"), query).content.decode()
        return {name for name in ("First", "Second", "Shop") if f">{name}</a>" in text}

    assert shown() == {"First", "Second", "Shop"}
    assert shown(kind="search") == {"First", "Second"}
    assert shown(verb="stop") == {"Second"}
    assert shown(who="ada") == {"First"}
    assert shown(who="-") == {"Shop"}
    assert shown(kind="search", who="ada", verb="stop") == set()
    assert shown(kind="nonsense", verb="\0", page="x") == {"First", "Second", "Shop"}


def test_one_thing_has_a_list_of_its_own(signed_in: Client) -> None:
    first, second = make_search(name="First"), make_search(name="Second")
    done(AuditVerb.PAUSE, first)
    done(AuditVerb.STOP, second)
    text = signed_in.get(reverse("activity"), {"kind": "search", "subject": first.pk}).content.decode()
    assert "Activity on First" in text and "Second" not in text


def test_activity_costs_a_fixed_number_of_queries(signed_in: Client, django_assert_max_num_queries: Any) -> None:
    for number in range(40):
        done(AuditVerb.PAUSE, make_search(name=f"S{number}"), "ada")
    done(AuditVerb.CREATE, make_space(name="Small"), "ada")
    done(AuditVerb.PROMOTE, Model.objects.create(name="films"), "ada", version=2)
    with django_assert_max_num_queries(8):
        signed_in.get(reverse("activity"))


def test_activity_without_events_teaches(signed_in: Client) -> None:
    assert "Nothing was done yet" in signed_in.get(reverse("activity")).content.decode()


def test_names_notes_tags_and_files_are_found(db: None) -> None:
    dataset = make_dataset(name="Shop", filename="clicks-2026.csv")
    search = make_search(name="Evening run", note="with a longer warm-up", dataset=make_dataset(name="Films"))
    space = make_space(name="Small shops")
    model = Model.objects.create(name="shop-best", tags=["served"])
    found = find("sHOp")
    assert (list(found.datasets), list(found.searches), list(found.spaces), list(found.models)) == ([dataset], [], [space], [model])
    assert list(find("clicks-2026").datasets) == [dataset]
    assert list(find("warm-up").searches) == list(find("films").searches) == [search]
    assert list(find("SERVED").models) == [model]
    assert find("serve").nothing, "a tag is found as a whole"
    assert find("  ").nothing and find("nothing like it").nothing


def test_an_architecture_is_found_by_the_beginning_of_its_key(db: None) -> None:
    search = make_search(name="Evening run")
    trials = make_trials(search, [0.2, None])
    Trial.objects.filter(pk=trials[0].pk).update(key="abcd000000000001")
    Trial.objects.filter(pk=trials[1].pk).update(key="abce000000000002")
    assert [row.trial.number for row in find("abcd").architectures] == [1]
    assert [row.trial.number for row in find("ABCE000000000002").architectures] == [2]
    assert find("abc").architectures == []  # too short to be one
    (row,) = find("abce").architectures
    assert row.score is None, "a penalty is no score"


def test_an_architecture_is_found_by_its_choices(db: None) -> None:
    search = make_search()
    for number in range(1, 31):
        make_trial(search, number)
    architectures = {trial.number: trial.architecture for trial in Trial.objects.all()}

    def numbers(text: str) -> set[int]:
        found = find(text).architectures
        assert all(row.description == describe(Architecture.of(architectures[row.trial.number])) for row in found)
        return {row.trial.number for row in found}

    def expected(fits: Any) -> set[int]:
        return set(sorted((number for number, each in architectures.items() if fits(each)), reverse=True)[: MOST + 1])

    for text, fits in (
        ("GraphSAGE", lambda each: "sage" in each.values()),
        ("lightgcn layers=2", lambda each: "lightgcn" in each.values() and each["layers"] == 2),
        ("operator.1=sage", lambda each: each["operator.1"] == "sage"),
        ("dropout=0.1", lambda each: each["dropout"] == 0.1),
        ("dropout:0", lambda each: each["dropout"] == 0),
    ):
        assert expected(fits), f"the toy has none for {text}"
        assert numbers(text) == expected(fits), text
    assert numbers("GraphSAGE something") == numbers("nonsense=2") == set()


def test_no_group_grows_without_end(db: None, django_assert_max_num_queries: Any) -> None:
    for number in range(MOST + 5):
        make_search(name=f"Run {number}", dataset=make_dataset(name=f"Run {number}"))
    with django_assert_max_num_queries(6):
        found = find("run")
    assert (len(found.searches), len(found.datasets)) == (MOST + 1, MOST + 1)
    assert found.searches[0].name == f"Run {MOST + 4}"


@pytest.mark.parametrize("text", ["", "%", "a_b", "'; --", "\0", "x" * 5000, "[", '"', "\\", "深度", "layers=nan", "layers=inf", "a=" * 90])
def test_any_text_is_answered(signed_in: Client, text: str) -> None:
    make_trial(make_search(), 1)
    response = signed_in.get(reverse("find"), {"q": text})
    assert response.status_code == 200
    assert "Type a part of a name" in response.content.decode()


def test_the_page_groups_what_it_found(signed_in: Client, user: User) -> None:
    dataset = make_dataset(name="Shop", archived_at="2026-11-01T00:00Z")
    search = make_search(name="Shop search", dataset=dataset)
    text = signed_in.get(reverse("find"), {"q": "shop"}).content.decode()
    assert text.index('id="f-datasets"') < text.index('id="f-searches"')
    assert f'href="{reverse("search", args=[search.pk])}"' in text and "Archived" in text
    assert 'id="find" name="q"' in text and 'value="shop"' in text
    del user


def test_the_demo_space_names_what_the_tests_look_for() -> None:
    assert {"operator", "layers", "dropout"} <= {spec.name for spec in preset_space("demo").specs}
