from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.db.models.functions import Now

from webapp.enums import RunState
from webapp.models import Baseline
from webapp.queue import ADVANCE_SEARCH, enqueue_on_commit
from webapp.services.runs import owned

BASELINES = ("popularity", "itemknn", "ease")
"""The references every search runs, by their name in ``gnn.baselines``."""


@transaction.atomic
def baseline_complete(
    baseline: Baseline, *, valid_scores: Mapping[str, float], test_scores: Mapping[str, float], train_seconds: float
) -> bool:
    """End the baseline with its scores; False when it is no longer this attempt's.

    Test scores are stored now, because nothing is chosen by them, and shown when the search has finished.
    """
    ended = owned(baseline).update(
        state=RunState.COMPLETED,
        valid_scores=dict(valid_scores),
        test_scores=dict(test_scores),
        train_seconds=train_seconds,
        finished_at=Now(),
        lease_expires_at=None,
    )
    if ended:
        enqueue_on_commit(ADVANCE_SEARCH, baseline.search_id)
    return ended == 1
