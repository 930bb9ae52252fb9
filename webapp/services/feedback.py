"""What became of recommendations: events come in, each once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from webapp.enums import FeedbackKind
from webapp.models import FeedbackEvent, Model
from webapp.scoring import ScoringDown, ask
from webapp.selectors.experiments import Serving
from webapp.services.errors import Conflict

MAX_EVENTS = 1000
"""Of one call."""
AHEAD = timedelta(minutes=5)
"""How far a sender's clock may be ahead."""
KEPT_BACK = timedelta(days=30)
"""How long a sender may have kept an event; what is older is history, which comes as a dataset."""


@dataclass(frozen=True)
class Event:
    """What a sender tells; times have a time zone."""

    key: str
    kind: FeedbackKind
    user: str
    item: str
    at: datetime


class ClockSkew(Exception):
    """Events of a time that cannot be; nothing of the call is stored."""

    def __init__(self, places: Sequence[tuple[int, str]]) -> None:
        super().__init__(places[0][1])
        self.places = places
        """The position of each such event, and what is wrong with it."""


def feedback_record(*, model_id: int, events: Sequence[Event]) -> list[FeedbackEvent]:
    """Store events, all or none; what was stored before is given again as it was, so that a sender may repeat a call whose answer was lost.

    Raises:
        Model.DoesNotExist: there is no such model.
        ClockSkew: an event is of the future, or too old.
        Conflict: another event came with the same key.
    """
    model = Model.objects.get(pk=model_id)
    stored = _stored(model, events)
    fresh = {event.key: event for event in events if event.key not in stored}
    if fresh:
        _check_times(events, set(fresh))
        known = _known(model, list(fresh.values()))
        serving = Serving(model, min(event.at for event in fresh.values()))
        rows = [
            FeedbackEvent(
                model=model, key=event.key, kind=event.kind, user=event.user, item=event.item, at=event.at,
                version_id=serving.version_id(event.user, event.at), known_user=known_user, known_item=known_item,
            )
            for event, (known_user, known_item) in zip(fresh.values(), known, strict=True)
        ]  # fmt: skip
    with transaction.atomic():
        if fresh:
            FeedbackEvent.objects.bulk_create(rows, ignore_conflicts=True)  # the same call may come twice at once
            stored = _stored(model, events)
        for event in events:
            row = stored[event.key]
            if (row.kind, row.user, row.item, row.at) != (event.kind, event.user, event.item, event.at):
                raise Conflict(
                    f"Another event came with the id {event.key!r}. Every event needs an id of its own; nothing of this call is stored."
                )
    return [stored[event.key] for event in events]


def _stored(model: Model, events: Sequence[Event]) -> dict[str, FeedbackEvent]:
    rows = FeedbackEvent.objects.filter(model=model, key__in=[event.key for event in events])
    return {row.key: row for row in rows.select_related("version").defer("version__document")}


def _check_times(events: Sequence[Event], fresh: set[str]) -> None:
    now = timezone.now()
    places = []
    for place, event in enumerate(events):
        if event.key not in fresh:
            continue
        if event.at > now + AHEAD:
            places.append(
                (place, f"It is {event.at - now} ahead of this server's clock. Set the sender's clock; nothing of this call is stored.")
            )
        elif event.at < now - KEPT_BACK:
            detail = f"It is older than {KEPT_BACK.days} days. Set the sender's clock, or upload history as a dataset"
            places.append((place, f"{detail}; nothing of this call is stored."))
    if places:
        raise ClockSkew(places)


def _known(model: Model, events: Sequence[Event]) -> list[tuple[bool | None, bool | None]]:
    """Whether the promoted version knows user and item of each; None where that cannot be asked: events are kept whatever else is down."""
    question: dict[str, Any] = {"kind": "known", "model": model.name, "users": [event.user for event in events], "known": []}
    try:
        answer = ask(question | {"items": [event.item for event in events]})
    except ScoringDown:
        return [(None, None)] * len(events)
    if answer.status != 200:
        return [(None, None)] * len(events)
    found = json.loads(answer.body)
    return list(zip(found["users"], found["items"], strict=True))
