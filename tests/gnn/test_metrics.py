from __future__ import annotations

import math

import numpy as np
import pytest

from gnn.metrics import TestScores, ValidationScores, means, ranking_metrics


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


def test_means_are_taken_over_users():
    assert means({"recall@1": np.array([0.0, 0.5, 1.0], dtype=np.float32)}) == {"recall@1": 0.5}


def test_validation_and_test_scores_have_nothing_in_common():
    assert ValidationScores.__bases__ == TestScores.__bases__ == (object,)
