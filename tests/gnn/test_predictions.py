from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from gnn import predictions
from gnn.metrics import auc, log_loss
from gnn.predictions import NOTHING, Observed, logistic_curve, observed, prediction_metrics
from tests.gnn.toy import make_interactions

N_USERS, N_ITEMS = 30, 40


class MatrixScorer:
    def __init__(self, scores):
        self.scores = torch.as_tensor(scores, dtype=torch.float32)

    def score(self, users):
        return self.scores[users].clone()


@pytest.fixture
def task():
    """Scores, and validation and test rows whose weights and labels follow them with noise."""
    generator = np.random.default_rng(3)
    scores = generator.normal(2, 3, (N_USERS, N_ITEMS)).astype(np.float32)

    def rows(n):
        users, items = generator.integers(0, N_USERS, n), generator.integers(0, N_ITEMS, n)
        score = scores[users, items].astype(float)
        labels = generator.random(n) < 1 / (1 + np.exp(1 - 0.7 * score))
        return Observed(users, items, 3 + 0.5 * score + generator.normal(0, 0.1, n), labels)

    return scores, rows(200), rows(150)


def test_weights_are_foretold_by_the_line_of_the_validation_rows(task, monkeypatch):
    monkeypatch.setattr(predictions, "SCORES_AT_ONCE", 7 * N_ITEMS)
    scores, valid, test = task
    line = np.polyfit(scores[valid.users, valid.items].astype(float), valid.weights, 1)
    error = np.polyval(line, scores[test.users, test.items].astype(float)) - test.weights
    found = prediction_metrics(MatrixScorer(scores), N_ITEMS, replace(valid, labels=None), replace(test, labels=None))
    assert found == {"rmse": pytest.approx(np.sqrt(np.square(error).mean()))}
    assert found["rmse"] < 0.12


def test_labels_are_foretold_by_the_likeliest_curve_of_the_validation_rows(task):
    scores, valid, test = task
    known, asked = (scores[rows.users, rows.items].astype(float) for rows in (valid, test))

    def unlikelihood(curve):
        return np.logaddexp(0, np.where(valid.labels, -1, 1) * (curve[0] * known + curve[1])).mean()

    slope, intercept = minimize(unlikelihood, [0.0, 0.0], tol=1e-10).x
    found = prediction_metrics(MatrixScorer(scores), N_ITEMS, valid, test)
    assert found["log_loss"] == pytest.approx(log_loss(1 / (1 + np.exp(-slope * asked - intercept)), test.labels), abs=1e-4)
    assert found["label_auc"] == pytest.approx(auc(asked, test.labels))
    assert found["log_loss"] < log_loss(np.full(len(asked), valid.labels.mean()), test.labels)


def test_labels_that_scores_part_perfectly_have_a_finite_curve():
    slope, intercept = logistic_curve(np.array([-1.2, -0.8, 0.8, 1.2]), np.array([False, False, True, True]))
    assert 5 < slope < 1000
    assert abs(intercept) < 1e-6


def test_rows_that_tell_nothing_have_no_metrics(task):
    scores, valid, test = task
    scorer = MatrixScorer(scores)
    assert prediction_metrics(scorer, N_ITEMS, NOTHING, NOTHING) == {}
    alike = replace(valid, weights=np.full(200, 4.0), labels=np.ones(200, dtype=bool))
    assert prediction_metrics(scorer, N_ITEMS, alike, test) == {}
    assert set(prediction_metrics(scorer, N_ITEMS, valid, replace(test, labels=np.zeros(150, dtype=bool)))) == {"rmse"}


def test_an_item_without_a_score_is_as_good_as_the_lowest(task):
    scores, valid, test = task
    lowest = scores[valid.users, valid.items].min()
    without, with_lowest = scores.copy(), scores.copy()
    without[test.users[0], test.items[0]], with_lowest[test.users[0], test.items[0]] = -np.inf, lowest
    one = replace(test, users=test.users[:1], items=test.items[:1], weights=test.weights[:1], labels=None)
    assert prediction_metrics(MatrixScorer(without), N_ITEMS, valid, one) == prediction_metrics(
        MatrixScorer(with_lowest), N_ITEMS, valid, one
    )


def test_rows_are_taken_as_the_source_tells_them():
    interactions = make_interactions([(0, 1), (1, 0), (1, 2)], 2, 3)
    assert observed(replace(interactions, weight=None), np.array([0])) is NOTHING
    told = replace(interactions, weight=np.array([1, 2, 3], np.float32), label=np.array([0, 1, 0.4], np.float32))
    rows = observed(told, np.array([2, 1]))
    assert (rows.users.tolist(), rows.items.tolist()) == ([1, 1], [2, 0])
    assert (rows.weights.tolist(), rows.labels.tolist()) == ([3, 2], [False, True])
