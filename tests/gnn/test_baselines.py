from __future__ import annotations

import numpy as np
import pytest
import torch

from gnn import baselines
from gnn.baselines import BASELINES, fit_baseline
from gnn.errors import DataError, OutOfMemory
from gnn.evaluate import evaluate_validation
from gnn.graph import build_graph
from tests.gnn.toy import HELD_OUT, planted_blocks, random_interactions


@pytest.fixture
def graph():
    interactions = random_interactions(5, n_users=30, n_items=12)
    return build_graph(interactions, np.arange(len(interactions)))


def ones(graph):
    matrix = np.zeros((graph.n_users, graph.n_items))
    rows = np.repeat(np.arange(graph.n_users), graph.user_degree)
    matrix[rows, graph.seen_items] = 1
    return matrix


def scores(name, graph):
    return fit_baseline(name, graph).score(torch.arange(graph.n_users)).numpy()


def test_popularity_counts_training_users(graph):
    assert scores("popularity", graph).tolist() == np.tile(ones(graph).sum(0), (graph.n_users, 1)).tolist()


@pytest.mark.parametrize("neighbours", [3, 100])
def test_item_neighbours_by_cosine(graph, neighbours, monkeypatch):
    monkeypatch.setattr(baselines, "KNN_NEIGHBOURS", neighbours)
    monkeypatch.setattr(baselines, "KNN_COLUMNS_AT_ONCE", 5)
    matrix = ones(graph)
    length = np.sqrt(np.maximum(matrix.sum(0), 1))
    cosine = matrix.T @ matrix / length[:, None] / length
    np.fill_diagonal(cosine, 0)
    got = fit_baseline("itemknn", graph).weights.toarray()
    for item in range(graph.n_items):
        kept = np.flatnonzero(got[:, item])
        assert len(kept) <= neighbours
        np.testing.assert_allclose(got[kept, item], cosine[kept, item], rtol=1e-5)
        # Which of several equal neighbours is kept is open; their similarities are not.
        np.testing.assert_allclose(np.sort(got[:, item])[::-1][:neighbours], np.sort(cosine[:, item])[::-1][:neighbours], rtol=1e-5)
    np.testing.assert_allclose(scores("itemknn", graph), matrix @ got, rtol=1e-5)


def test_ease_solves_its_regression(graph):
    """Its weights have a zero diagonal, and elsewhere the ridge regression's gradient vanishes."""
    matrix = ones(graph)
    weights = fit_baseline("ease", graph).weights.astype(np.float64)
    assert np.diag(weights).tolist() == [0] * graph.n_items
    gradient = matrix.T @ (matrix @ weights - matrix) + baselines.EASE_REGULARISATION * weights
    np.fill_diagonal(gradient, 0)
    assert np.abs(gradient).max() < 1e-3
    np.testing.assert_allclose(scores("ease", graph), matrix @ weights, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["itemknn", "ease"])
def test_neighbourhood_baselines_find_planted_blocks(name):
    _, graph, valid = planted_blocks()
    assert evaluate_validation(fit_baseline(name, graph), graph, valid, [HELD_OUT]).values[f"recall@{HELD_OUT}"] == 1


def test_scores_may_be_overwritten_without_harm(graph):
    for name in BASELINES:
        scorer = fit_baseline(name, graph)
        first = scorer.score(torch.arange(3))
        kept = first.clone()
        first.fill_(-1)
        assert torch.equal(scorer.score(torch.arange(3)), kept)


def test_ease_refuses_a_catalogue_it_cannot_hold(graph, monkeypatch):
    monkeypatch.setattr(baselines, "EASE_MAX_ITEMS", 10)
    with pytest.raises(OutOfMemory, match="12 x 12"):
        fit_baseline("ease", graph)


def test_an_unknown_baseline_lists_the_choices(graph):
    with pytest.raises(DataError, match="popularity, itemknn, ease"):
        fit_baseline("slim", graph)
