"""Asking a worker which decisions of a search mattered, and writing down what it found."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from webapp.models import Search
from webapp.queue import MEASURE_IMPORTANCE, enqueue_on_commit
from webapp.selectors.importance import PATIENCE_SECONDS


@transaction.atomic
def search_importance_ask(*, search_id: int) -> bool:
    """Have it measured; False while somebody waits for that already. What was asked long ago counts as lost, and is asked again."""
    lost = Q(importance_asked_at=None) | Q(importance_asked_at__lt=Now() - timedelta(seconds=PATIENCE_SECONDS))
    asked = Search.objects.filter(lost, pk=search_id).update(importance_asked_at=Now())
    if asked:
        enqueue_on_commit(MEASURE_IMPORTANCE, search_id)
    return asked == 1


def search_importance_record(*, search_id: int, shares: Mapping[str, Mapping[str, float]], trials: int, note: str) -> None:
    """Replace what was known; the same measured twice changes nothing."""
    Search.objects.filter(pk=search_id).update(
        importance={method: dict(by_decision) for method, by_decision in shares.items()},
        importance_trials=trials,
        importance_note=note,
        importance_asked_at=None,
    )
