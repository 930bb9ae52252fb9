from __future__ import annotations

import numpy as np
import pytest
import torch

from gnn.graph import build_graph
from gnn.losses import bpr, catalogue_softmax
from gnn.sampling import block_of
from tests.gnn.toy import random_interactions


@pytest.fixture
def graph():
    interactions = random_interactions(2)
    return build_graph(interactions, np.arange(len(interactions)))


@pytest.fixture
def block(graph):
    return block_of(graph, torch.nonzero(graph.user_degree).flatten()[[4, 0, 2, 6]])


def embeddings(n, seed, scale=1.0):
    return (scale * torch.randn(n, 5, generator=torch.Generator().manual_seed(seed))).requires_grad_()


def test_bpr_equals_three_lines_of_numpy():
    positive, negative = embeddings(6, 0)[:, 0], embeddings(6, 1)[:, 0]
    difference = positive.detach().numpy() - negative.detach().numpy()
    expected = np.mean(-np.log(1 / (1 + np.exp(-difference))))
    assert bpr(positive, negative).item() == pytest.approx(expected, rel=1e-6)


def test_bpr_is_finite_for_extreme_scores():
    assert float(bpr(torch.tensor([-1e4]), torch.tensor([1e4]))) == pytest.approx(2e4)


@pytest.mark.parametrize("rows_at_once", [1, 3, 100])
@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_softmax_equals_autograd_over_full_log_probabilities(graph, block, rows_at_once, temperature):
    users, items = embeddings(4, 0), embeddings(graph.n_items, 1)
    ours = catalogue_softmax(users, items, block, temperature, rows_at_once)
    chances = torch.log_softmax(users @ items.t() / temperature, dim=1)
    reference = -chances[block.rows, block.items].mean()
    torch.testing.assert_close(ours, reference, rtol=1e-5, atol=1e-5)
    for got, wanted in zip(torch.autograd.grad(3 * ours, [users, items]), torch.autograd.grad(3 * reference, [users, items]), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)


def test_softmax_stays_finite_at_the_lowest_temperature(graph, block):
    users, items = embeddings(4, 0, scale=2.0), embeddings(graph.n_items, 1, scale=2.0)
    loss = catalogue_softmax(users, items, block, 0.01, 100)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(users.grad).all() and torch.isfinite(items.grad).all()


def test_softmax_of_equal_scores_is_the_log_of_the_catalogue(graph, block):
    users = torch.zeros(4, 5, requires_grad=True)
    loss = catalogue_softmax(users, embeddings(graph.n_items, 1), block, 0.2, 100)
    assert loss.item() == pytest.approx(np.log(graph.n_items), rel=1e-6)
