"""The audit trail names who did what, in the transaction of what was done."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import transaction
from django.test import Client
from django.urls import reverse

from gnn.catalogue import preset_space
from gnn.protocol import Protocol
from tests.webapp.calling import Program
from tests.webapp.factories import make_dataset, make_search, make_trials
from webapp.enums import AuditVerb, DatasetState, FileKind, SubjectKind
from webapp.models import AuditEvent, Space
from webapp.services.audit import Actor, acting, event_record
from webapp.services.dataset_files import dataset_file_add, dataset_file_remove
from webapp.services.dataset_removal import dataset_delete
from webapp.services.errors import Conflict
from webapp.services.searches import search_extend, search_pause, search_start, search_stop
from webapp.services.spaces import space_create, space_delete
from webapp.services.tokens import token_revoke
from webapp.templatetags.annotations import fact_label


def told() -> list[tuple[str, str, str, dict[str, Any]]]:
    """Verb, kind, name and facts of every event, in order."""
    return list(AuditEvent.objects.order_by("id").values_list("verb", "kind", "subject_name", "facts"))


def test_the_life_of_a_search_is_told_in_order(db: None) -> None:
    search = search_start(
        owner=None, name="Evening run", dataset=make_dataset(profile={"users": 5, "items": 5, "pairs": 9}), space=preset_space("demo"),
        protocol=Protocol(), controller="random", planned_trials=5, workers=1, seed=1, start_token=uuid4(),
    )  # fmt: skip
    search_extend(search_id=search.pk, trials=3)
    search_pause(search_id=search.pk)
    search_stop(search_id=search.pk)
    assert told() == [
        ("start", "search", "Evening run", {}),
        ("extend", "search", "Evening run", {"trials": 3, "planned": 8}),
        ("pause", "search", "Evening run", {}),
        ("stop", "search", "Evening run", {}),
    ]


def test_what_was_refused_is_not_told(db: None) -> None:
    search = make_search(state="stopped")
    with pytest.raises(Conflict):
        search_stop(search_id=search.pk)
    assert told() == []


@pytest.mark.django_db(transaction=True)
def test_what_is_undone_with_its_transaction_is_not_told() -> None:
    search = make_search()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        search_pause(search_id=search.pk)
        assert len(told()) == 1
        raise ZeroDivisionError
    search.refresh_from_db()
    assert (search.state, told()) == ("running", [])


def test_what_is_deleted_keeps_its_name_and_number_in_the_trail(db: None) -> None:
    search = make_search(state="finished", dataset=(dataset := make_dataset(name="Shop")))
    make_trials(search, [0.2])
    number = dataset.pk
    dataset_delete(dataset_id=dataset.pk, with_searches=True)
    event = AuditEvent.objects.get()
    assert (event.verb, event.subject_name, event.subject_id, event.facts) == ("delete", "Shop", number, {"searches": 1})


def test_further_files_are_told_once_each(db: None) -> None:
    dataset = make_dataset(name="Shop", state=DatasetState.UPLOADED)
    table = ContentFile(b"item,genre\n1,drama\n2,comedy\n")
    file = dataset_file_add(dataset_id=dataset.pk, kind=FileKind.ITEM_ATTRIBUTES, filename="films.csv", file=table)
    for _ in range(2):
        dataset_file_remove(file_id=file.pk)
    assert told() == [
        ("change", "dataset", "Shop", {"file_added": "films.csv"}),
        ("change", "dataset", "Shop", {"file_removed": "films.csv"}),
    ]


def test_every_fact_that_services_tell_has_a_name_for_people() -> None:
    told_of = {
        name
        for file in (Path(__file__).parents[2] / "webapp" / "services").glob("*.py")
        for call in re.findall(r"event_record\((AuditVerb.*)\)", file.read_text())
        for name in re.findall(r"(\w+)=", call)
    }
    assert {"file_added", "percent", "trials"} <= told_of
    assert [name for name in told_of if "_" in name and fact_label(name) == name] == []


def test_deleting_twice_is_told_once(db: None) -> None:
    space = space_create(owner=None, name="Small", space=preset_space("demo"))
    for _ in range(2):
        space_delete(space_id=space.pk)
    assert [verb for verb, *_ in told()] == ["create", "delete"]


def test_a_person_who_clicks_is_named(signed_in: Client, user: User) -> None:
    search = make_search()
    signed_in.post(reverse("search_action", args=[search.pk, "stop"]))
    event = AuditEvent.objects.get()
    assert (event.actor, event.actor_name, event.token_name) == (user, "ada", "")
    user.delete()
    event.refresh_from_db()
    assert (event.actor, event.actor_name) == (None, "ada"), "the trail outlives the account"


def test_a_program_is_named_by_its_token_and_owner(program: Program, user: User) -> None:
    search = make_search()
    AuditEvent.objects.all().delete()  # that the program's token was made
    program.post(f"/searches/{search.pk}/stop")
    event = AuditEvent.objects.get(verb="stop")
    assert (event.actor, event.actor_name) == (user, "ada")
    assert event.token_name == user.api_tokens.get().name != ""


def test_nobody_is_named_after_the_request_is_over(signed_in: Client) -> None:
    signed_in.get("/")
    event_record(AuditVerb.CHANGE, make_search())
    assert AuditEvent.objects.get().actor_name == ""


def test_actors_nest_and_do_not_leak(db: None) -> None:
    dataset = make_dataset(state=DatasetState.READY)
    with acting(lambda: Actor(name="outer")):
        with acting(lambda: Actor(name="inner")):
            event_record(AuditVerb.CHANGE, dataset)
        event_record(AuditVerb.CHANGE, dataset)
    event_record(AuditVerb.CHANGE, dataset)
    assert list(AuditEvent.objects.order_by("id").values_list("actor_name", flat=True)) == ["inner", "outer", ""]


def test_revoking_a_token_is_told_once_and_only_by_its_owner(program: Program, user: User, db: None) -> None:
    token = user.api_tokens.get()
    AuditEvent.objects.all().delete()
    token_revoke(owner=User.objects.create_user("bob"), token_id=token.pk)
    for _ in range(2):
        token_revoke(owner=user, token_id=token.pk)
    assert [verb for verb, *_ in told()] == ["revoke"]


def test_long_names_fit(db: None) -> None:
    space = Space(pk=1, name="n" * 5000)
    event_record(AuditVerb.CHANGE, space)
    assert AuditEvent.objects.get().subject_name == "n" * 200
    assert AuditEvent.objects.get().kind == SubjectKind.SPACE
