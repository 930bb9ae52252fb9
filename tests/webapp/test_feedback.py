"""Events about recommendations: each is stored once, nothing is lost, and what waits becomes the next version of the dataset."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from gnn.sources import Mapping
from tests.webapp.calling import Program, refused
from tests.webapp.factories import make_search
from tests.webapp.test_model_services import bundle_file
from webapp.enums import DatasetState, FeedbackKind, FileKind, Scope
from webapp.models import Dataset, FeedbackEvent, Model
from webapp.selectors.datasets import dataset_interactions
from webapp.selectors.feedback import feedback_dataset, feedback_summary
from webapp.services.datasets import dataset_import, dataset_ingest
from webapp.services.errors import Conflict
from webapp.services.feedback import AHEAD, KEPT_BACK, MAX_EVENTS
from webapp.services.feedback_datasets import feedback_dataset_make
from webapp.services.models import model_import, model_promote
from webapp.services.tokens import token_create

pytestmark = pytest.mark.django_db

CLICK, PURCHASE, IMPRESSION = FeedbackKind.CLICK, FeedbackKind.PURCHASE, FeedbackKind.IMPRESSION
BOTH = [CLICK, PURCHASE]


@pytest.fixture
def model() -> Model:
    version = model_import(owner=None, file=bundle_file())
    model_promote(owner=None, version_id=version.pk)
    return version.model


@pytest.fixture
def program(user: User, client: Any) -> Program:
    return Program(user)


def event(key: str, *, minutes: float = -1, **fields: Any) -> dict[str, Any]:
    at = timezone.now() + timedelta(minutes=minutes)
    return {"id": key, "kind": "click", "user": "a", "item": "i2", "time": at.isoformat()} | fields


def send(program: Program, *events: dict[str, Any]) -> Any:
    return program.post("/models/films/feedback", {"events": list(events)})


def test_events_are_stored_once_and_a_replay_gets_the_same_answer(program: Program, model: Model) -> None:
    events = [event("e1"), event("e2", kind="impression"), event("e3", user="nobody", item="nothing")]
    first = send(program, *events)
    assert first.status_code == 200, first.content
    assert [each["id"] for each in first.json()["events"]] == ["e1", "e2", "e3"]
    assert {each["version"] for each in first.json()["events"]} == {1}
    assert send(program, *events).json() == first.json()
    longer = send(program, *events, event("e4"), event("e4", **{"time": events[0]["time"]}))
    refused(longer, 409)  # one id, two times
    assert send(program, events[2], event("e5")).json()["events"][0] == first.json()["events"][2]
    assert FeedbackEvent.objects.count() == 4
    stored = FeedbackEvent.objects.get(key="e1")
    assert (stored.kind, stored.user, stored.item, stored.at) == ("click", "a", "i2", datetime.fromisoformat(events[0]["time"]))


def test_another_event_with_a_known_id_is_refused_and_nothing_of_the_call_is_stored(program: Program, model: Model) -> None:
    first = event("e1")
    send(program, first)
    said = refused(send(program, event("e2"), first | {"item": "i3"}), 409)
    assert "'e1'" in said["detail"]
    assert list(FeedbackEvent.objects.values_list("key", "item")) == [("e1", "i2")]


@pytest.mark.parametrize(
    ("minutes", "reason"),
    [(AHEAD.seconds / 60 + 1, "ahead of this server's clock"), (-(KEPT_BACK.days * 24 * 60 + 1), "older than 30 days")],
)
def test_a_clock_that_is_wrong_is_named_by_its_event(program: Program, model: Model, minutes: float, reason: str) -> None:
    said = refused(send(program, event("e1"), event("e2", minutes=minutes)), 422)
    assert reason in said["detail"]
    assert [each["field"] for each in said["errors"]] == ["body.events.1.time"]
    assert not FeedbackEvent.objects.exists()
    assert send(program, event("e1"), event("e2", minutes=AHEAD.seconds / 60 - 1)).status_code == 200


def test_a_replay_is_answered_however_late(program: Program, model: Model) -> None:
    sent = event("e1")
    first = send(program, sent)
    long_ago = datetime.fromisoformat(sent["time"]) - KEPT_BACK - timedelta(days=9)
    FeedbackEvent.objects.update(at=long_ago)
    assert send(program, sent | {"time": long_ago.isoformat()}).json() == first.json()


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "view"},
        {"user": ""},
        {"item": "i" * 1001},
        {"id": ""},
        {"id": "x" * 101},
        {"time": "2026-01-01T00:00:00"},
        {"time": "soon"},
    ],
)
def test_what_cannot_be_an_event_is_refused(program: Program, model: Model, wrong: dict[str, Any]) -> None:
    refused(send(program, event("e1"), event("e2") | wrong), 422)
    assert not FeedbackEvent.objects.exists()


def test_bodies_are_bounded(program: Program, model: Model) -> None:
    refused(send(program), 422)
    refused(send(program, *(event(f"e{number}") for number in range(MAX_EVENTS + 1))), 422)
    large = [event(f"e{number}", user="ü" * 1000, item="ü" * 1000) for number in range(MAX_EVENTS)]
    refused(send(program, *large), 413)
    assert send(program, *(event(f"e{number}") for number in range(MAX_EVENTS))).status_code == 200
    assert FeedbackEvent.objects.count() == MAX_EVENTS


def test_only_a_token_of_its_own_scope_may_send(client: Any, user: User, model: Model) -> None:
    for scope, status in ((Scope.WRITE, 403), (Scope.RECOMMEND, 403), (Scope.FEEDBACK, 200)):
        _, secret = token_create(owner=user, name="test", scopes=[scope])
        answer = client.post(
            "/api/v1/models/films/feedback",
            {"events": [event("e1")]},
            content_type="application/json",
            headers={"Authorization": f"Bearer {secret}"},
        )
        assert answer.status_code == status, answer.content
    assert client.post("/api/v1/models/films/feedback").status_code == 401


def test_what_came_back_is_counted(program: Program, model: Model) -> None:
    send(program, event("e1"), event("e2", kind="impression"), event("e3", kind="purchase"), event("e4"))
    FeedbackEvent.objects.filter(key="e1").update(known_user=False, known_item=True)
    found = program.get("/models/films/feedback").json()
    assert found["kinds"] == [
        {"kind": "impression", "total": 1, "waiting": 1},
        {"kind": "click", "total": 2, "waiting": 2},
        {"kind": "purchase", "total": 1, "waiting": 1},
    ]
    assert (found["unknown_users"], found["unknown_items"], found["unchecked"], found["waiting"]) == (1, 0, 3, 3)
    refused(program.get("/models/nothing/feedback"), 404)
    refused(program.post("/models/nothing/feedback", {"events": [event("e1")]}), 404)


def searched(model: Model, table: str, **columns: Any) -> Dataset:
    """A READY dataset that the model's version was searched on."""
    dataset = dataset_import(
        owner=None, name="Films", filename="films.csv", file=ContentFile(table.encode()),
        mapping=Mapping(columns={"user": "user", "item": "item"} | columns, timestamp_unit="s"),
    )  # fmt: skip
    assert dataset.state == DatasetState.READY, dataset.message
    model.versions.update(search=make_search(dataset=dataset))
    return dataset


ROWS = [("a", "i0", 1, 5), ("a", "i1", 2, 4), ("a", "i2", 3, 3), ("b", "i0", 4, 2), ("c", "i1", 5, 1)]
ROWS += [("b", f"i{number}", 6 + number, 3) for number in range(1, 6)]


def table(*columns: int) -> str:
    names = ("user", "item", "time", "stars")
    return "\n".join(",".join(str(row[at]) for at in columns) for row in (names, *ROWS)) + "\n"


def rows_of(dataset: Dataset) -> list[tuple[str, str, int | None]]:
    found = dataset_interactions(dataset)
    times = found.timestamp if found.timestamp is not None else [None] * len(found)
    return [
        (found.user_ids[int(user)], found.item_ids[int(item)], at) for user, item, at in zip(found.user, found.item, times, strict=True)
    ]


def test_what_waits_becomes_the_next_version_and_the_one_after(program: Program, model: Model) -> None:
    base = searched(model, table(0, 1, 2), timestamp="time")
    events = [event("e1", item='i"9,\n'), event("e2", kind="purchase", user="new"), event("e3", kind="impression")]
    send(program, *events)
    made = program.post("/models/films/feedback/dataset", {})
    assert made.status_code == 202, made.content
    assert (made.json()["version"], made.json()["events"]) == (2, 2)
    second = dataset_ingest(dataset_id=made.json()["dataset"])
    assert (second.state, second.previous, second.name) == (DatasetState.READY, base, "Films")
    at = [int(datetime.fromisoformat(each["time"]).timestamp()) for each in events]
    before = [(user, item, time) for user, item, time, _ in ROWS]
    assert rows_of(second) == [*before, ("a", 'i"9,\n', at[0]), ("new", "i2", at[1])]
    assert [each.waiting for each in feedback_summary(model).kinds] == [1, 0, 0]
    assert feedback_dataset(model) == second
    refused(program.post("/models/films/feedback/dataset", {}), 409)

    send(program, event("e4", user="d"))
    third = dataset_ingest(dataset_id=program.post("/models/films/feedback/dataset", {}).json()["dataset"])
    assert [row[:2] for row in rows_of(third)[len(ROWS) :]] == [("a", 'i"9,\n'), ("new", "i2"), ("d", "i2")]
    assert third.files.count() == 1
    assert [row[:2] for row in rows_of(second)[len(ROWS) :]] == [("a", 'i"9,\n'), ("new", "i2")], "an older version stays as it was"


def test_events_wait_again_when_their_version_is_deleted(program: Program, model: Model) -> None:
    searched(model, table(0, 1))
    send(program, event("e1"))
    dataset = feedback_dataset_make(owner=None, model_id=model.pk, kinds=BOTH)
    assert feedback_summary(model).waiting == 0
    dataset.delete()
    assert feedback_summary(model).waiting == 1


def test_weights_are_asked_for_where_rows_have_them(program: Program, model: Model) -> None:
    searched(model, table(0, 1, 3), weight="stars")
    send(program, event("e1"))
    said = refused(program.post("/models/films/feedback/dataset", {}), 409)
    assert "Say what an event counts" in said["detail"]
    made = program.post("/models/films/feedback/dataset", {"weight": 4.5}).json()
    found = dataset_interactions(dataset_ingest(dataset_id=made["dataset"]))
    assert found.weight is not None
    assert found.weight.tolist() == [*(row[3] for row in ROWS), 4.5]


def test_what_stands_in_the_way_is_said(program: Program, model: Model) -> None:
    def reason(**asked: Any) -> str:
        with pytest.raises(Conflict) as refusal:
            feedback_dataset_make(**{"owner": None, "model_id": model.pk, "kinds": BOTH} | asked)
        return str(refusal.value)

    assert "searched here" in reason()
    base = searched(model, table(0, 1, 2), timestamp="time")
    assert "No event of these kinds waits" in reason()
    assert not base.next_versions.exists()
    send(program, event("e1"))
    assert "Impression events are no interactions" in reason(kinds=[IMPRESSION])
    draft = Dataset.objects.create(name="Films", filename="x", source_blob="x", previous=base, version=2)
    assert "Version 2 of dataset “Films” is there but not ready" in reason()
    draft.delete()
    Dataset.objects.filter(pk=base.pk).update(mapping=base.mapping | {"part": "train"})
    assert "divided into training and test" in reason()
    Dataset.objects.filter(pk=base.pk).update(mapping=base.mapping | {"domain": "books"})
    assert "have a domain" in reason()
    assert feedback_summary(model).waiting == 1


def test_the_file_of_events_keeps_the_kind_as_behaviour(program: Program, model: Model) -> None:
    searched(model, "user,item,act\n" + "".join(f"{user},{item},view\n" for user, item, *_ in ROWS), behaviour="act")
    send(program, event("e1"), event("e2", kind="purchase"))
    dataset = dataset_ingest(dataset_id=feedback_dataset_make(owner=None, model_id=model.pk, kinds=BOTH).pk)
    found = dataset_interactions(dataset)
    assert found.behaviour_names is not None and found.behaviour is not None
    assert [found.behaviour_names[int(code)] for code in found.behaviour[len(ROWS) :]] == ["click", "purchase"]
    file = dataset.files.get(kind=FileKind.INTERACTIONS)
    with default_storage.open(file.source_blob) as source:
        assert pl.read_parquet(source.read())["user"].to_list() == ["a", "a"]
