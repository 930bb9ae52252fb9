from __future__ import annotations

from collections.abc import Sequence

from django.db.models.functions import Now

from webapp.models import Worker


def worker_seen(*, name: str, queues: Sequence[str], slots: int, threads: int, device: str) -> None:
    """Record that a worker is alive."""
    facts = {"queues": list(queues), "slots": slots, "threads": threads, "device": device, "seen_at": Now()}
    Worker.objects.update_or_create(name=name, defaults=facts, create_defaults={**facts, "started_at": Now()})


def worker_gone(*, name: str) -> None:
    """Forget a worker that shut down cleanly; one that was killed fades by its ``seen_at``."""
    Worker.objects.filter(name=name).delete()
