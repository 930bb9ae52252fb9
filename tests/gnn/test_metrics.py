from __future__ import annotations

import math

import numpy as np
import pytest

from gnn.errors import DataError
from gnn.metrics import TestScores, ValidationScores, auc, list_metrics, log_loss, means, ranking_metrics, rmse


def test_values_computed_by_hand():
    hits = np.array([[True, False, True, False], [False, False, False, False], [False, True, False, False]])
    metrics = ranking_metrics(hits, np.array([2, 1, 5]), [1, 3])
    assert metrics["precision@1"] == pytest.approx([1, 0, 0])
    assert metrics["precision@3"] == pytest.approx([2 / 3, 0, 1 / 3])
    assert metrics["recall@1"] == pytest.approx([1 / 2, 0, 0])
    assert metrics["recall@3"] == pytest.approx([1, 0, 1 / 5])
    assert metrics["f1@3"] == pytest.approx([0.8, 0, 0.25])
    third, second = 1 / math.log2(4), 1 / math.log2(3)
    assert metrics["ndcg@1"] == pytest.approx([1, 0, 0])
    assert metrics["map@1"] == pytest.approx([1, 0, 0])
    assert metrics["map@3"] == pytest.approx([(1 + 2 / 3) / 2, 0, 1 / 2 / 3])
    assert metrics["mrr@1"] == pytest.approx([1, 0, 0])
    assert metrics["mrr@3"] == pytest.approx([1, 0, 1 / 2])
    assert metrics["hit@1"] == pytest.approx([1, 0, 0])
    assert metrics["hit@3"] == pytest.approx([1, 0, 1])
    assert metrics["ndcg@3"] == pytest.approx([(1 + third) / (1 + second), 0, second / (1 + second + third)])


def test_a_list_shorter_than_k_ends_in_misses():
    metrics = ranking_metrics(np.array([[True, True]]), np.array([3]), [5])
    assert metrics["precision@5"] == pytest.approx([2 / 5])
    assert metrics["recall@5"] == pytest.approx([2 / 3])
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert metrics["ndcg@5"] == pytest.approx([(1 + 1 / math.log2(3)) / ideal])


def test_a_perfect_list_scores_one():
    metrics = ranking_metrics(np.ones((2, 3), dtype=bool), np.array([3, 7]), [3])
    assert metrics["ndcg@3"] == pytest.approx([1, 1])
    assert metrics["precision@3"] == pytest.approx([1, 1])


def test_what_lists_contain_by_hand():
    listed = np.array([[0, 1], [0, -1], [-1, -1]])
    per_user, overall = list_metrics(listed, np.array([4, 1, 0]), 4, [1, 2, 9])
    assert per_user["popularity@1"] == pytest.approx([4, 4, 0])
    assert per_user["popularity@2"] == pytest.approx([2.5, 4, 0])
    assert per_user["novelty@2"] == pytest.approx([1, 0, 0])
    assert per_user["novelty@9"].tolist() == per_user["novelty@2"].tolist()
    assert (overall["coverage@1"], overall["coverage@2"]) == (1 / 3, 2 / 3)
    # Sorted counts 0, 0, 2 and 0, 1, 2: one item takes all, or two share.
    assert overall["gini@1"] == pytest.approx(2 * 2 / (3 * 2))
    assert overall["gini@2"] == pytest.approx(2 * 2 / (3 * 3))


def test_lists_of_everything_are_even():
    _, overall = list_metrics(np.array([[0, 1], [1, 0]]), np.array([1, 1]), 2, [2])
    assert overall == {"coverage@2": 1.0, "gini@2": 0.0}


def test_predictions_by_hand():
    assert auc(np.array([0.9, 0.4, 0.4, 0.1]), np.array([1, 1, 0, 0])) == 3.5 / 4
    assert auc(np.array([1, 2, 3]), np.array([0, 0, 1])) == 1
    assert log_loss(np.array([0.8, 0.4]), np.array([1, 0])) == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
    assert log_loss(np.array([0.0]), np.array([1])) == pytest.approx(-math.log(1e-7))
    assert rmse(np.array([1.0, 4.0]), np.array([1, 2])) == pytest.approx(math.sqrt(2))


def test_auc_needs_both_labels():
    with pytest.raises(DataError, match="2 positives and 0 negatives"):
        auc(np.array([1, 2]), np.array([1, 1]))


def test_means_are_taken_over_users():
    assert means({"recall@1": np.array([0.0, 0.5, 1.0], dtype=np.float32)}) == {"recall@1": 0.5}


def test_validation_and_test_scores_have_nothing_in_common():
    assert ValidationScores.__bases__ == TestScores.__bases__ == (object,)
