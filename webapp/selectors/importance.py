"""Whether somebody waits for the importance of decisions."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from webapp.models import Search

PATIENCE_SECONDS = 600
"""After which a request is taken for lost, and may be made again."""


def importance_is_awaited(search: Search) -> bool:
    """Whether a worker was asked, and may still answer."""
    asked = search.importance_asked_at
    return asked is not None and timezone.now() - asked < timedelta(seconds=PATIENCE_SECONDS)
