from __future__ import annotations

import hashlib
import json
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from redis.exceptions import RedisError

from webapp.models import Worker
from webapp.queue import CONTROL_QUEUE, TRIALS_QUEUE, waiting_messages
from webapp.selectors.workers import WorkerRow, worker_rows
from webapp.services.workers import worker_drain
from webapp.templatetags.display import ago

LIVE_MS = 3000


@require_safe
def worker_list(request: HttpRequest) -> HttpResponse:
    """Who works where, at what and how fast; the table alone where a page that is open asks for it."""
    rows = worker_rows()
    context = {"rows": rows, "queues": _queues(), "version": _version(rows), "retry_ms": LIVE_MS}
    return render(request, "workers/table.html" if request.headers.get("HX-Request") else "workers/list.html", context)


@require_safe
def worker_live(request: HttpRequest) -> JsonResponse:
    """What changed, for a page that is open (live.js)."""
    del request
    rows = worker_rows()
    return JsonResponse({"cursor": 0, "version": _version(rows), "retry_ms": LIVE_MS, "fields": _fields(rows), "series": {}})


@require_POST
def worker_action(request: HttpRequest, worker_id: int, action: str) -> HttpResponse:
    """Drain a worker, or let it take work again."""
    try:
        worker = worker_drain(worker_id=worker_id, drain=action == "drain")
    except Worker.DoesNotExist as error:
        raise Http404(_("There is no such worker.")) from error
    if worker.drain:
        said = _("%(name)s finishes what it does and takes no new work. It learns this within ten seconds.")
    else:
        said = _("%(name)s takes work again. It learns this within ten seconds.")
    messages.success(request, said % {"name": worker.name})
    return redirect("workers")


def _queues() -> list[tuple[str, str, int | None]]:
    """Name, what it holds and length of each queue; None where the broker does not answer."""
    words = {
        TRIALS_QUEUE: _("trials, baselines, finalists and models to train"),
        CONTROL_QUEUE: _("datasets to read, searches to move on, files to write"),
    }
    try:
        return [(queue, text, waiting_messages(queue)) for queue, text in words.items()]
    except (RedisError, OSError):
        return [(queue, text, None) for queue, text in words.items()]


def _version(rows: list[WorkerRow]) -> str:
    """Changes whenever something besides a time or a size does."""
    facts: list[Any] = [
        (
            row.worker.pk,
            row.alive,
            row.worker.drain,
            row.worker.queues,
            row.trials,
            [(task.kind, task.search_id, task.label) for task in row.tasks],
        )
        for row in rows
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _fields(rows: list[WorkerRow]) -> dict[str, str]:
    """Texts that change with every answer, by the name of their place."""
    return {f"seen-{row.worker.pk}": ago(row.worker.seen_at) for row in rows if row.alive}
