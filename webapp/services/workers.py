from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now

from webapp.enums import AuditVerb
from webapp.models import Worker
from webapp.services.audit import event_record

KEPT_FOR = timedelta(days=1)
"""How long a worker that is gone is remembered."""


def worker_seen(
    *,
    name: str,
    queues: Sequence[str],
    slots: int,
    threads: int,
    device: str,
    host: str = "",
    memory_bytes: int | None = None,
    free_bytes: int | None = None,
    used_bytes: int | None = None,
    starts: bool = False,
) -> bool:
    """Record that a worker is alive; gives whether it should drain: finish what it does and take nothing more.

    One that ``starts`` forgets that it was asked to, and those that have been gone for long are forgotten with it.
    """
    facts = {
        "queues": list(queues), "slots": slots, "threads": threads, "device": device, "host": host,
        "memory_bytes": memory_bytes, "free_bytes": free_bytes, "used_bytes": used_bytes, "seen_at": Now(), "gone_at": None,
    }  # fmt: skip
    beginning = {"started_at": Now(), "drain": False}
    if starts:
        Worker.objects.filter(seen_at__lt=Now() - KEPT_FOR).delete()
        facts |= beginning
    worker, _ = Worker.objects.update_or_create(name=name, defaults=facts, create_defaults=facts | beginning)
    return worker.drain


def worker_gone(*, name: str) -> None:
    """Note that a worker shut down cleanly; one that was killed fades by its ``seen_at``."""
    Worker.objects.filter(name=name).update(gone_at=Now())


@transaction.atomic
def worker_drain(*, worker_id: int, drain: bool) -> Worker:
    """Have a worker finish what it does and take nothing more, or take work again; it learns that with its next report.

    Raises:
        Worker.DoesNotExist: nothing has been heard of it for a day.
    """
    worker = Worker.objects.select_for_update().get(pk=worker_id)
    if worker.drain != drain:
        worker.drain = drain
        worker.save(update_fields=["drain"])
        event_record(AuditVerb.DRAIN if drain else AuditVerb.UNDRAIN, worker)
    return worker
