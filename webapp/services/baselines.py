from __future__ import annotations

from collections.abc import Mapping

from gnn.slices import Slices
from webapp.models import Baseline
from webapp.services.runs import run_complete

BASELINES = ("popularity", "itemknn", "userknn", "rp3beta", "gfcf", "ease", "mf_bpr", "ials", "lightgcn")
"""The references every search runs, by their name in ``gnn.baselines``; the longest comes last."""


def baseline_complete(
    baseline: Baseline,
    *,
    valid_scores: Mapping[str, float],
    test_scores: Mapping[str, float],
    test_users: bytes,
    train_seconds: float,
    valid_slices: Slices | None = None,
    test_slices: Slices | None = None,
) -> bool:
    """End the baseline with its scores; False when it is no longer this attempt's.

    Test scores are stored now, because nothing is chosen by them, and shown when the search has finished.
    """
    return run_complete(
        baseline,
        valid_scores=dict(valid_scores),
        test_scores=dict(test_scores),
        test_users=test_users,
        train_seconds=train_seconds,
        valid_slices=valid_slices.to_json() if valid_slices else {},
        test_slices=test_slices.to_json() if test_slices else {},
    )
