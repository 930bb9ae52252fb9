"""What became of recommendations: events of a model, and the version of its dataset made from them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Status

from webapp.api.auth import authorised, owner_of
from webapp.api.errors import ApiError, FieldError
from webapp.api.feedback_schemas import DatasetIn, DatasetMade, EventsIn, EventsOut, FeedbackOut
from webapp.api.recommend_access import FeedbackMeteredToken
from webapp.models import FeedbackEvent, Model
from webapp.selectors.feedback import feedback_summary
from webapp.services.feedback import ClockSkew, Event, feedback_record
from webapp.services.feedback_datasets import feedback_dataset_make

router = Router(auth=FeedbackMeteredToken(), tags=["feedback"])


@router.post("/{slug:name}/feedback", response=EventsOut, summary="Tell what became of recommendations")
def feedback_send(request: HttpRequest, name: str, body: EventsIn) -> Any:
    """All events are stored or none. Users and items that no model knows are kept, and counted."""
    model = get_object_or_404(Model, name=name)
    events = [Event(each.id, each.kind, each.user, each.item, each.time) for each in body.events]
    try:
        rows = feedback_record(model_id=model.pk, events=events)
    except ClockSkew as error:
        errors = [FieldError(field=f"body.events.{place}.time", detail=detail) for place, detail in error.places]
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), errors) from error
    return {
        "model": name,
        "events": [_shown(row) for row in rows],
        "unknown_users": sum(row.known_user is False for row in rows),
        "unknown_items": sum(row.known_item is False for row in rows),
    }


@router.get("/{slug:name}/feedback", response=FeedbackOut, auth=authorised("read"), summary="Count what came back")
def feedback_count(request: HttpRequest, name: str) -> Any:
    found = feedback_summary(get_object_or_404(Model, name=name))
    return {
        "model": name,
        "kinds": [{"kind": each.kind, "total": each.total, "waiting": each.waiting} for each in found.kinds],
        "unknown_users": found.unknown_users,
        "unknown_items": found.unknown_items,
        "unchecked": found.unchecked,
        "last_received": found.last_received,
        "waiting": found.waiting,
    }


@router.post(
    "/{slug:name}/feedback/dataset",
    response={202: DatasetMade},
    auth=authorised("write"),
    summary="Make the next version of the dataset from what waits",
)
def feedback_take_up(request: HttpRequest, name: str, body: DatasetIn) -> Any:
    """A worker reads it; the dataset says when it is ready."""
    model = get_object_or_404(Model, name=name)
    dataset = feedback_dataset_make(owner=owner_of(request), model_id=model.pk, kinds=body.kinds, weight=body.weight)
    return Status(202, {"dataset": dataset.pk, "version": dataset.version, "events": FeedbackEvent.objects.filter(dataset=dataset).count()})


def _shown(row: FeedbackEvent) -> dict[str, Any]:
    version = row.version.number if row.version else None
    return {"id": row.key, "version": version, "known_user": row.known_user, "known_item": row.known_item}
