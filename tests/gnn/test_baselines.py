from __future__ import annotations

import numpy as np
import pytest
import torch

from gnn.baselines import BASELINES, factors, fit_baseline, linear, neighbours, regressions
from gnn.baselines.matrix import interaction_matrix
from gnn.errors import DataError, OutOfMemory
from gnn.evaluate import build_targets, evaluate_validation
from gnn.graph import build_graph
from gnn.train import fit
from tests.gnn.toy import HELD_OUT, make_interactions, planted_blocks, random_interactions


@pytest.fixture
def graph():
    interactions = random_interactions(5, n_users=30, n_items=12)
    return build_graph(interactions, np.arange(len(interactions)))


@pytest.fixture(autouse=True)
def short_training(monkeypatch):
    monkeypatch.setattr(factors, "LIGHTGCN_EPOCHS", 3)


def ones(graph):
    matrix = np.zeros((graph.n_users, graph.n_items))
    rows = np.repeat(np.arange(graph.n_users), graph.user_degree)
    matrix[rows, graph.seen_items] = 1
    return matrix


def scores(name, graph):
    return fit_baseline(name, graph, None).score(torch.arange(graph.n_users)).numpy()


def inverse_root(degree):
    return 1 / np.sqrt(np.maximum(degree, 1))


def check_nearest(got, whole, count):
    """``got`` holds the ``count`` largest entries of each column of ``whole``; which of several equal ones is open."""
    for column in range(whole.shape[1]):
        kept = np.flatnonzero(got[:, column])
        assert len(kept) <= count
        np.testing.assert_allclose(got[kept, column], whole[kept, column], rtol=1e-5)
        np.testing.assert_allclose(np.sort(got[:, column])[::-1][:count], np.sort(whole[:, column])[::-1][:count], rtol=1e-5)


def cosines(matrix):
    scale = inverse_root(matrix.sum(0))
    cosine = matrix.T @ matrix * scale[:, None] * scale
    np.fill_diagonal(cosine, 0)
    return cosine


def test_popularity_counts_training_users(graph):
    assert scores("popularity", graph).tolist() == np.tile(ones(graph).sum(0), (graph.n_users, 1)).tolist()


@pytest.mark.parametrize("count", [3, 100])
def test_item_neighbours_by_cosine(graph, count, monkeypatch):
    monkeypatch.setattr(neighbours, "NEIGHBOURS", count)
    monkeypatch.setattr(neighbours, "COLUMNS_AT_ONCE", 5)
    got = fit_baseline("itemknn", graph, None).right.toarray()
    check_nearest(got, cosines(ones(graph)), count)
    np.testing.assert_allclose(scores("itemknn", graph), ones(graph) @ got, rtol=1e-5)


@pytest.mark.parametrize("count", [3, 100])
def test_user_neighbours_by_cosine(graph, count, monkeypatch):
    monkeypatch.setattr(neighbours, "NEIGHBOURS", count)
    got = fit_baseline("userknn", graph, None).left.toarray().T
    check_nearest(got, cosines(ones(graph).T), count)
    np.testing.assert_allclose(scores("userknn", graph), got.T @ ones(graph), rtol=1e-5)


def test_rp3beta_walks_three_steps_and_divides_by_popularity(graph, monkeypatch):
    monkeypatch.setattr(neighbours, "RP3_NEIGHBOURS", 4)
    matrix = ones(graph)
    to_item = matrix / np.maximum(matrix.sum(1), 1)[:, None]
    to_user = matrix.T / np.maximum(matrix.sum(0), 1)[:, None]
    walks = to_user @ to_item / np.maximum(matrix.sum(0), 1) ** neighbours.RP3_BETA
    np.fill_diagonal(walks, 0)
    got = fit_baseline("rp3beta", graph, None).right.toarray()
    check_nearest(got, walks, 4)
    np.testing.assert_allclose(scores("rp3beta", graph), matrix @ got, rtol=1e-5)


def test_ease_solves_its_regression(graph):
    """Its weights have a zero diagonal, and elsewhere the ridge regression's gradient vanishes."""
    matrix = ones(graph)
    weights = fit_baseline("ease", graph, None).right.astype(np.float64)
    assert np.diag(weights).tolist() == [0] * graph.n_items
    gradient = matrix.T @ (matrix @ weights - matrix) + linear.EASE_REGULARISATION * weights
    np.fill_diagonal(gradient, 0)
    assert np.abs(gradient).max() < 1e-3
    np.testing.assert_allclose(scores("ease", graph), matrix @ weights, rtol=1e-4, atol=1e-6)


def test_graph_filters_by_dense_algebra(graph, monkeypatch):
    monkeypatch.setattr(linear, "GFCF_RANK_SHARE", 4)
    matrix = ones(graph)
    users, items = inverse_root(matrix.sum(1)), inverse_root(matrix.sum(0))
    normalised = matrix * users[:, None] * items
    first = np.linalg.svd(normalised)[2][:3].T
    low_pass = items[:, None] * (first @ first.T) / items
    expected = matrix @ (normalised.T @ normalised + linear.GFCF_LOW_PASS * low_pass)
    np.testing.assert_allclose(scores("gfcf", graph), expected, rtol=1e-3, atol=1e-4)


def test_singular_vectors_of_a_larger_matrix():
    interactions = random_interactions(1, n_users=200, n_items=120, share=0.1)
    matrix = interaction_matrix(build_graph(interactions, np.arange(len(interactions))))
    values = np.linalg.svd(matrix.toarray(), compute_uv=False)[:5]
    vectors = linear.right_singular_vectors(matrix, 5)
    np.testing.assert_allclose(np.linalg.norm(matrix @ vectors, axis=0), values, rtol=1e-3)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(5), atol=1e-5)


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_least_squares_reach_a_stationary_point(graph, power):
    """After the last sweep items are the exact answer to users: the gradient of the weighted squared error vanishes."""
    matrix = ones(graph)
    fitted = factors.least_squares(graph, 5.0, 0.5, power)
    users, items = fitted.users.double().numpy(), fitted.items.double().numpy()
    confidence = np.where(matrix > 0, 5.0, 1.0)
    ridge = 0.5 * (4 * matrix.sum(0) + graph.n_users) ** power
    gradient = (confidence * (users @ items.T - matrix)).T @ users + ridge[:, None] * items
    assert np.abs(gradient).max() < 1e-3
    assert (users[0] == 0).all(), "a user without interactions is at the regulariser's optimum"


@pytest.mark.parametrize(("l1", "l2"), [(0.1, 1.0), (1.0, 0.5), (3.5, 2.0)])
def test_slim_meets_the_conditions_of_the_optimum(graph, l1, l2):
    """Convex, so these conditions are enough: no gradient where a weight is positive, none that would raise a zero."""
    matrix = ones(graph)
    weights = regressions.item_weights(interaction_matrix(graph), l1, l2).toarray().astype(np.float64)
    assert (weights >= 0).all() and (np.diag(weights) == 0).all() and weights.any()
    gradient = matrix.T @ (matrix @ weights - matrix) + l2 * weights + l1
    np.fill_diagonal(gradient, 0)
    assert np.abs(gradient[weights > 0]).max() < 1e-3
    assert gradient.min() > -1e-3


def test_slim_does_not_depend_on_its_blocks(graph, monkeypatch):
    matrix = interaction_matrix(graph)
    whole = regressions.item_weights(matrix, 0.1, 1.0).toarray()
    monkeypatch.setattr(regressions, "COLUMNS_AT_ONCE", 5)
    np.testing.assert_array_equal(regressions.item_weights(matrix, 0.1, 1.0).toarray(), whole)


def test_validation_picks_among_settings(monkeypatch):
    _, graph, valid = planted_blocks()
    hopeless, good = (1000.0, 1.0), (0.1, 1.0)
    monkeypatch.setattr(regressions, "REGULARISATIONS", (hopeless, good))
    expected = regressions.item_weights(interaction_matrix(graph), *good).toarray()
    np.testing.assert_array_equal(fit_baseline("slim", graph, valid).right.toarray(), expected)


@pytest.mark.parametrize("name", ["itemknn", "userknn", "rp3beta", "gfcf", "ease", "ials", "slim", "mf_bpr"])
def test_baselines_find_planted_blocks(name, monkeypatch):
    # A matrix of four blocks has rank four.
    monkeypatch.setattr(linear, "GFCF_RANK_SHARE", 10)
    monkeypatch.setattr(factors, "IALS_SETTINGS", ((5.0, 1.0, 0.0),))
    monkeypatch.setattr(regressions, "REGULARISATIONS", ((0.1, 1.0),))
    _, graph, valid = planted_blocks()
    assert evaluate_validation(fit_baseline(name, graph, valid), graph, valid, [HELD_OUT]).values[f"recall@{HELD_OUT}"] > 0.95


def test_lightgcn_has_the_published_settings(monkeypatch):
    monkeypatch.setattr(factors, "LIGHTGCN_EPOCHS", 40)
    _, graph, valid = planted_blocks()
    fitted = fit_baseline("lightgcn", graph, valid)
    assert fitted.users.shape == (graph.n_users, 64) and fitted.items.shape == (graph.n_items, 64)
    assert evaluate_validation(fitted, graph, valid, [HELD_OUT]).values[f"recall@{HELD_OUT}"] > 0.5


def test_lightgcn_ends_after_its_updates(monkeypatch):
    """The toy has one update in an epoch, where validation improves for more than three."""
    monkeypatch.setattr(factors, "LIGHTGCN_EPOCHS", 40)
    _, graph, valid = planted_blocks()
    trained = []

    def recorded(*arguments):
        trained.append(fit(*arguments))
        return trained[-1]

    monkeypatch.setattr(factors, "fit", recorded)
    for updates in (3, 30):
        monkeypatch.setattr(factors, "LIGHTGCN_UPDATES", updates)
        fit_baseline("lightgcn", graph, valid)
    assert [result.epochs for result in trained] == [3, 30]


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_repeats_and_its_scores_may_be_overwritten_without_harm(name):
    _, graph, valid = planted_blocks()
    scorer = fit_baseline(name, graph, valid)
    first = scorer.score(torch.arange(3))
    kept = first.clone()
    assert kept.isfinite().all() and kept.shape == (3, graph.n_items)
    first.fill_(-1)
    assert torch.equal(scorer.score(torch.arange(3)), kept)
    assert torch.equal(fit_baseline(name, graph, valid).score(torch.arange(3)), kept)


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "lightgcn"])
def test_one_item_is_scored_without_an_error(name):
    interactions = make_interactions([(0, 0), (1, 0), (2, 0)], 3, 1)
    graph = build_graph(interactions, np.arange(2))
    valid = build_targets(interactions, np.array([2]), graph)
    assert np.isfinite(fit_baseline(name, graph, valid).score(torch.arange(3)).numpy()).all()


def test_ease_refuses_a_catalogue_it_cannot_hold(graph, monkeypatch):
    monkeypatch.setattr(linear, "EASE_MAX_ITEMS", 10)
    with pytest.raises(OutOfMemory, match="12 x 12"):
        fit_baseline("ease", graph, None)


def test_an_unknown_baseline_lists_the_choices(graph):
    with pytest.raises(DataError, match="popularity, itemknn, userknn"):
        fit_baseline("nothing", graph, None)
