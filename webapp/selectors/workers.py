from __future__ import annotations

from datetime import timedelta

from django.db.models import QuerySet
from django.db.models.functions import Now

from webapp.models import Worker

ALIVE_SECONDS = 30
"""Workers report every ten seconds; three missed reports and one counts as gone."""


def workers_heard() -> QuerySet[Worker]:
    """Workers heard of lately."""
    return Worker.objects.filter(seen_at__gt=Now() - timedelta(seconds=ALIVE_SECONDS))


def workers_alive(*, queue: str) -> QuerySet[Worker]:
    """Of these, those that take tasks from ``queue``."""
    return workers_heard().filter(queues__contains=[queue])
