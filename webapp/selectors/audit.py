from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet

from webapp.enums import SubjectKind
from webapp.models import ApiToken, AuditEvent, Dataset, Model, Search, Space, Worker

PAGE_LENGTH = 50
MAX_ACTORS = 100

_TABLES: dict[str, Any] = {
    SubjectKind.DATASET: Dataset,
    SubjectKind.SPACE: Space,
    SubjectKind.SEARCH: Search,
    SubjectKind.MODEL: Model,
    SubjectKind.WORKER: Worker,
    SubjectKind.TOKEN: ApiToken,
}


@dataclass(frozen=True)
class EventRow:
    """An event, with what it is about where that is still there."""

    event: AuditEvent
    subject: Any


def events_listed(*, kind: str = "", subject_id: int | None = None, verb: str = "", actor: str | None = None) -> QuerySet[AuditEvent]:
    """Events, the newest first; an empty ``actor`` asks for commands on the server, None for everybody."""
    wanted: dict[str, Any] = {"kind": kind, "verb": verb}
    wanted = {name: value for name, value in wanted.items() if value}
    if subject_id is not None:
        wanted["subject_id"] = subject_id
    if actor is not None:
        wanted["actor_name"] = actor
    return AuditEvent.objects.filter(**wanted).order_by("-id")


def events_page(events: QuerySet[AuditEvent], *, page: int | str = 1) -> Page[AuditEvent]:
    return Paginator(events, PAGE_LENGTH).get_page(page)


def event_rows(events: Sequence[AuditEvent]) -> list[EventRow]:
    """Add to each event what it is about: one query for each kind among them."""
    ids = defaultdict(set)
    for event in events:
        ids[event.kind].add(event.subject_id)
    found = {kind: {row.pk: row for row in _TABLES[kind].objects.filter(pk__in=some).only(*_named(kind))} for kind, some in ids.items()}
    return [EventRow(event, found[event.kind].get(event.subject_id)) for event in events]


def actors_known() -> list[str]:
    """Names of those who did something, sorted."""
    names = AuditEvent.objects.exclude(actor_name="").order_by("actor_name").values_list("actor_name", flat=True).distinct()
    return list(names[:MAX_ACTORS])


def _named(kind: str) -> tuple[str, ...]:
    return ("name", "owner_id") if kind == SubjectKind.TOKEN else ("name",)
