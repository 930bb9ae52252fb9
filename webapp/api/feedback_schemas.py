"""What is told of recommendations, and what comes of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from ninja import Schema
from pydantic import AwareDatetime, Field

from webapp.api.recommend_schemas import Id
from webapp.enums import FeedbackKind
from webapp.services.feedback import AHEAD, KEPT_BACK, MAX_EVENTS

Key = Annotated[str, Field(min_length=1, max_length=100)]


class EventIn(Schema):
    id: Key = Field(description="Chosen by you, one for each event: sent again, it is the same event and gets the same answer.")
    kind: FeedbackKind
    user: Id
    item: Id
    time: AwareDatetime = Field(
        description="When it happened, with its time zone; "
        f"at most {AHEAD.seconds // 60} minutes ahead of the server and at most {KEPT_BACK.days} days ago."
    )


class EventsIn(Schema):
    events: list[EventIn] = Field(min_length=1, max_length=MAX_EVENTS)


class EventOut(Schema):
    id: str
    version: int | None = Field(description="The version that the user was served at that time.")
    known_user: bool | None
    known_item: bool | None = Field(description="Whether the promoted version knew it; null where that could not be asked.")


class EventsOut(Schema):
    model: str
    events: list[EventOut] = Field(description="In the order of the request. All are stored, whoever is unknown.")
    unknown_users: int = Field(description="How many of these events are of users whom the promoted version does not know.")
    unknown_items: int


class KindCountOut(Schema):
    kind: FeedbackKind
    total: int
    waiting: int = Field(description="In no version of the dataset.")


class FeedbackOut(Schema):
    model: str
    kinds: list[KindCountOut]
    unknown_users: int
    unknown_items: int
    unchecked: int = Field(description="Events that came while nothing could say who is known.")
    last_received: datetime | None
    waiting: int = Field(description="Clicks and purchases that wait.")


class DatasetIn(Schema):
    kinds: list[FeedbackKind] = Field([FeedbackKind.CLICK, FeedbackKind.PURCHASE], min_length=1, max_length=3)
    weight: float | None = Field(None, description="What an event counts; needed where the dataset has weights.")


class DatasetMade(Schema):
    dataset: int
    version: int
    events: int = Field(description="That it took up.")
