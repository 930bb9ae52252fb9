"""How well scores foretell what was observed with an interaction: its weight, such as a rating, and its label, such as a click.

Scores of a ranking are on no scale of their own. A line, or a logistic curve, fitted on the validation interactions maps
them to weights and to probabilities of a label; the test interactions then only report.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from gnn.evaluate import SCORES_AT_ONCE, Scorer
from gnn.interactions import Interactions
from gnn.metrics import auc, log_loss, rmse

RIDGE = 1e-6
"""Weight of a penalty on the slope of the curve: scores that part the labels perfectly would make it infinite."""
NEWTON_STEPS = 100
LONGEST_STEP = 2.0
TOLERANCE = 1e-8


@dataclass(frozen=True, eq=False)
class Observed:
    """Some interactions and what was observed with them; None where the source does not tell."""

    users: np.ndarray
    """Codes, int64 [n]."""
    items: np.ndarray
    """Codes, int64 [n]."""
    weights: np.ndarray | None = None
    """float64 [n]"""
    labels: np.ndarray | None = None
    """Whether the label is above a half, bool [n]."""


NOTHING = Observed(np.zeros(0, np.int64), np.zeros(0, np.int64))


def observed(interactions: Interactions, index: np.ndarray) -> Observed:
    """The rows at ``index``, or none where the source tells of neither weights nor labels."""
    weight, label = interactions.weight, interactions.label
    if weight is None and label is None:
        return NOTHING
    return Observed(
        users=interactions.user[index].astype(np.int64),
        items=interactions.item[index].astype(np.int64),
        weights=None if weight is None else weight[index].astype(np.float64),
        labels=None if label is None else label[index] > 0.5,
    )


def prediction_metrics(scorer: Scorer, n_items: int, valid: Observed, test: Observed) -> dict[str, float]:
    """Of the test rows: ``rmse`` of predicted weights; ``log_loss`` and ``label_auc`` of predicted labels.

    A metric is left out where nothing was observed, or where what its curve is fitted on (for labels, also what it is
    tested on) is all alike.
    """
    weights = _told(valid.weights) and test.weights is not None
    labels = _told(valid.labels) and _told(test.labels)
    if not weights and not labels:
        return {}
    known, asked = _pair_scores(scorer, n_items, valid), _pair_scores(scorer, n_items, test)
    # A baseline may leave an item without a score: it is no better than the lowest there is.
    lowest = known[np.isfinite(known)].min(initial=0.0)
    known, asked = (np.where(np.isfinite(scores), scores, lowest) for scores in (known, asked))
    centre, spread = known.mean(), known.std() or 1.0
    known, asked = (known - centre) / spread, (asked - centre) / spread
    metrics: dict[str, float] = {}
    if weights and valid.weights is not None and test.weights is not None:
        slope = float(known @ valid.weights) / len(known)
        metrics["rmse"] = rmse(slope * asked + valid.weights.mean(), test.weights)
    if labels and valid.labels is not None and test.labels is not None:
        slope, intercept = logistic_curve(known, valid.labels)
        metrics["log_loss"] = log_loss(1 / (1 + np.exp(-(slope * asked + intercept))), test.labels)
        metrics["label_auc"] = auc(asked, test.labels)
    return metrics


def logistic_curve(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of the probability of a label given a score, by maximum likelihood (Platt 1999).

    Newton's method on scores [n] of mean 0 and deviation 1; labels [n] must not be all alike.
    """
    design = np.stack([scores, np.ones(len(scores))], axis=1)
    share = labels.mean()
    curve = np.array([0.0, np.log(share / (1 - share))])
    penalty = RIDGE * np.array([1.0, 0.0])
    for _ in range(NEWTON_STEPS):
        chance = 1 / (1 + np.exp(-(design @ curve)))
        gradient = design.T @ (chance - labels) / len(scores) + penalty * curve
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design / len(scores) + np.diag(penalty)
        step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
        # A step as long as this leaves the region in which the curvature says where the end is.
        step *= min(1.0, LONGEST_STEP / max(float(np.abs(step).max()), LONGEST_STEP))
        curve -= step
        if np.abs(step).max() < TOLERANCE:
            break
    return float(curve[0]), float(curve[1])


def _told(values: np.ndarray | None) -> bool:
    """Whether there is something to foretell: at least two different values."""
    return values is not None and len(values) > 0 and values.min() != values.max()


def _pair_scores(scorer: Scorer, n_items: int, rows: Observed) -> np.ndarray:
    """The score of each row's item for its user, float64 [n]."""
    users, place = np.unique(rows.users, return_inverse=True)
    order = np.argsort(place, kind="stable")
    limits = np.searchsorted(place[order], np.arange(len(users) + 1))
    scores = np.empty(len(rows.users))
    at_once = max(1, SCORES_AT_ONCE // n_items)
    for start in range(0, len(users), at_once):
        batch = users[start : start + at_once]
        some = order[limits[start] : limits[start + len(batch)]]
        all_scores = scorer.score(torch.from_numpy(batch))
        at = (torch.from_numpy(column).to(all_scores.device) for column in (place[some] - start, rows.items[some]))
        scores[some] = all_scores[tuple(at)].double().cpu().numpy()
    return scores
