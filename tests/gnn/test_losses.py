from __future__ import annotations

import numpy as np
import pytest
import torch

from gnn import losses
from gnn.contrastive import info_nce
from gnn.graph import build_graph
from gnn.losses import catalogue_softmax
from gnn.sampling import UserBlock, block_of
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


@pytest.fixture
def scores():
    """Of 6 positives, with 3 negatives each."""
    return embeddings(6, 0)[:, 0].detach(), embeddings(6, 1)[:, :3].detach()


def logistic(x):
    return 1 / (1 + np.exp(-x))


def test_bpr_equals_its_formula(scores):
    positive, negative = (score.numpy() for score in scores)
    expected = np.mean([-np.log(logistic(p - n)) for p, row in zip(positive, negative, strict=True) for n in row])
    assert losses.bpr(*scores).item() == pytest.approx(expected, rel=1e-6)


def test_bpr_is_finite_for_extreme_scores():
    assert float(losses.bpr(torch.tensor([-1e4]), torch.tensor([[1e4]]))) == pytest.approx(2e4)


def test_cross_entropy_equals_its_formula(scores):
    positive, negative = (score.numpy() for score in scores)
    expected = -np.log(logistic(positive)).mean() - np.log(1 - logistic(negative)).mean()
    assert losses.bce(*scores).item() == pytest.approx(expected, rel=1e-5)


def test_constrained_cross_entropy_equals_its_formula(scores):
    positive, negative = (score.numpy() for score in scores)
    weight, other = np.arange(6.0), np.arange(18.0).reshape(6, 3)
    expected = -(weight * np.log(logistic(positive))).mean() - (other * np.log(1 - logistic(negative))).mean()
    ours = losses.constrained_bce(*scores, torch.from_numpy(weight).float(), torch.from_numpy(other).float())
    assert ours.item() == pytest.approx(expected, rel=1e-5)


def test_the_margin_equals_its_formula(scores):
    positive, negative = (score.numpy() for score in scores)
    expected = np.mean(np.maximum(0, 0.5 - positive[:, None] + negative))
    assert losses.margin_loss(*scores, 0.5).item() == pytest.approx(expected, rel=1e-6)


def test_cosine_contrast_equals_its_formula(scores):
    positive, negative = (score.numpy() for score in scores)
    expected = np.mean(1 - positive) + 10 * np.mean(np.maximum(0, negative - 0.3))
    assert losses.cosine_contrastive(*scores, 0.3, 10).item() == pytest.approx(expected, rel=1e-6)


def test_sampled_softmax_equals_its_formula():
    positive, candidates = embeddings(4, 0)[:, 0].detach(), torch.randn(4, 7, generator=torch.Generator().manual_seed(1))
    same = torch.zeros(4, 7, dtype=torch.bool)
    same[0, 2] = same[3, 0] = same[3, 6] = True
    expected = 0.0
    for row in range(4):
        others = sum(np.exp(candidates[row, c].item()) for c in range(7) if not same[row, c])
        expected -= np.log(np.exp(positive[row].item()) / (np.exp(positive[row].item()) + others)) / 4
    assert losses.sampled_softmax(positive, candidates, same).item() == pytest.approx(expected, rel=1e-5)


def test_alignment_and_uniformity_equal_their_formulas():
    users, items = (torch.nn.functional.normalize(embeddings(5, seed)).detach() for seed in (0, 1))
    u = users.numpy()
    assert losses.alignment(users, items).item() == pytest.approx(np.mean(((u - items.numpy()) ** 2).sum(1)), rel=1e-5)
    apart = [np.exp(-2 * ((u[a] - u[b]) ** 2).sum()) for a in range(5) for b in range(a)]
    for rows_at_once in (1, 3, 100):
        assert losses.uniformity(users, rows_at_once).item() == pytest.approx(np.log(np.mean(apart)), rel=1e-5)
    assert losses.uniformity(users[:1], 100).item() == 0


def test_agreement_of_views_equals_its_formula():
    first, second = embeddings(4, 0).detach(), embeddings(4, 1).detach()
    a, b = (x.numpy() / np.linalg.norm(x.numpy(), axis=1, keepdims=True) for x in (first, second))
    near = np.exp(a @ b.T / 0.2)
    assert info_nce(first, second, 0.2).item() == pytest.approx(-np.log(np.diag(near) / near.sum(1)).mean(), rel=1e-5)


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


@pytest.mark.parametrize("rows_at_once", [1, 3, 100])
def test_positives_apart_equal_autograd_of_each_against_the_items_its_user_has_not(graph, block, rows_at_once):
    users, items = embeddings(4, 0), embeddings(graph.n_items, 1)
    ours = catalogue_softmax(users, items, block, 0.2, rows_at_once, rivals=False)
    scores, total = users @ items.t() / 0.2, torch.zeros(())
    for row, item in zip(block.rows.tolist(), block.items.tolist(), strict=True):
        own = set(block.items[block.rows == row].tolist()) - {item}
        compared = [other for other in range(graph.n_items) if other not in own]
        total = total + torch.logsumexp(scores[row, compared], dim=0) - scores[row, item]
    reference = total / len(block.rows)
    torch.testing.assert_close(ours, reference, rtol=1e-5, atol=1e-5)
    for got, wanted in zip(torch.autograd.grad(ours, [users, items]), torch.autograd.grad(reference, [users, items]), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)


def test_positives_apart_of_a_user_who_has_everything_teach_nothing():
    everything = UserBlock(torch.tensor([0]), torch.zeros(3, dtype=torch.long), torch.arange(3))
    users, items = embeddings(1, 0, scale=50.0), embeddings(3, 1, scale=50.0)
    loss = catalogue_softmax(users, items, everything, 0.05, 10, rivals=False)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-4)
    assert users.grad.abs().max() < 1e-4 and items.grad.abs().max() < 1e-4


@pytest.mark.parametrize("rivals", [True, False])
def test_softmax_stays_finite_at_the_lowest_temperature(graph, block, rivals):
    users, items = embeddings(4, 0, scale=2.0), embeddings(graph.n_items, 1, scale=2.0)
    loss = catalogue_softmax(users, items, block, 0.01, 100, rivals=rivals)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(users.grad).all() and torch.isfinite(items.grad).all()


def test_softmax_of_equal_scores_is_the_log_of_the_catalogue(graph, block):
    users = torch.zeros(4, 5, requires_grad=True)
    loss = catalogue_softmax(users, embeddings(graph.n_items, 1), block, 0.2, 100)
    assert loss.item() == pytest.approx(np.log(graph.n_items), rel=1e-6)
