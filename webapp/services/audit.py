"""The audit trail: who did what when. A service notes what it did, in its own transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from webapp.enums import AuditVerb, SubjectKind
from webapp.models import ApiToken, AuditEvent, Dataset, Model, Search, Space, Worker

Subject = ApiToken | Dataset | Model | Search | Space | Worker

KINDS: dict[type, SubjectKind] = {
    ApiToken: SubjectKind.TOKEN,
    Dataset: SubjectKind.DATASET,
    Model: SubjectKind.MODEL,
    Search: SubjectKind.SEARCH,
    Space: SubjectKind.SPACE,
    Worker: SubjectKind.WORKER,
}


@dataclass(frozen=True)
class Actor:
    """Who acts; without an id, a command on the server."""

    user_id: int | None = None
    name: str = ""
    token: str = ""
    """Name of the API token by which a program acts for this person."""


_acting: ContextVar[Callable[[], Actor]] = ContextVar("acting", default=Actor)


@contextmanager
def acting(actor: Callable[[], Actor]) -> Iterator[None]:
    """What is done in the block is noted as done by ``actor``, which is asked only then: the API learns late who calls.

    The person is known to the request and not to most services; handing it down through every one of them would make
    forgetting it as easy as passing it.
    """
    mark = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(mark)


def event_record(verb: AuditVerb, subject: Subject, **facts: Any) -> None:
    """Note that whoever acts did ``verb`` to ``subject``; before a row is deleted, while it still has its id."""
    actor = _acting.get()()
    AuditEvent.objects.create(
        actor_id=actor.user_id, actor_name=actor.name, token_name=actor.token,
        verb=verb, kind=KINDS[type(subject)], subject_id=subject.pk, subject_name=str(subject)[:200], facts=facts,
    )  # fmt: skip
