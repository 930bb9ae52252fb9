from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Schema

from webapp.api.auth import authorised
from webapp.api.paging import Page, PageQuery, page_of
from webapp.selectors.workers import workers_heard

router = Router(auth=authorised("read"), tags=["Workers"])


class WorkerOut(Schema):
    name: str
    queues: list[str]
    slots: int
    threads: int
    device: str
    started_at: datetime
    seen_at: datetime


@router.get("", response=Page[WorkerOut], summary="List workers")
def worker_list(request: HttpRequest, query: Query[PageQuery]) -> Any:
    """Those heard of in the last half minute, by name."""
    workers, following = page_of(workers_heard(), query, key="name")
    return {"items": workers, "next": following}
