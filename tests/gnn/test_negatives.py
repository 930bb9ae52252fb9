from __future__ import annotations

import numpy as np
import pytest
import torch

from gnn.catalogue.choices import NEGATIVES
from gnn.graph import build_graph
from gnn.negatives import HARD_POOL, NegativeSampler, PairNegatives, PopularitySampler
from gnn.sampling import PairBlock, pair_blocks
from tests.gnn.toy import make_interactions, random_interactions


@pytest.fixture
def graph():
    interactions = random_interactions(1)
    return build_graph(interactions, np.arange(len(interactions)))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def seen(graph, user):
    return graph.seen_items[graph.seen_indptr[user] : graph.seen_indptr[user + 1]].tolist()


def by_item(users, items):
    """A score that is higher for later items."""
    return items.float()


@pytest.mark.parametrize("kind", NEGATIVES)
def test_negatives_are_items_the_user_has_not_seen(graph, kind):
    (block,) = pair_blocks(graph, graph.user_degree > 0, graph.n_edges, generator())
    drawn = PairNegatives(graph, kind, 5)(block, by_item, generator())
    assert drawn.shape == (len(block.users), 5)
    for user, row in zip(block.users.tolist(), drawn.tolist(), strict=True):
        assert all(0 <= item < graph.n_items and item not in seen(graph, user) for item in row)


def test_even_negatives_are_uniform_over_the_unseen_items():
    graph = build_graph(make_interactions([(0, 0), (0, 3), (0, 5), (1, 1)], 2, 7), np.arange(4))
    drawn = NegativeSampler(graph)(torch.zeros(40, 100, dtype=torch.long), generator())
    counts = torch.bincount(drawn.flatten(), minlength=7).tolist()
    assert [counts[item] for item in (0, 3, 5)] == [0, 0, 0]
    # 1000 expected with a standard deviation of 27.
    assert all(abs(counts[item] - 1000) < 120 for item in (1, 2, 4, 6))


@pytest.mark.parametrize("power", [0.0, 0.75, 1.0])
def test_popular_items_are_drawn_as_often_as_their_degree_says(power):
    pairs = [(user, item) for item in range(3) for user in range(3 ** (item + 1))]
    graph = build_graph(make_interactions(pairs, 27, 4), np.arange(len(pairs)))
    sampler = PopularitySampler(graph, power)
    weight = np.array([3, 9, 27, 0.0]) ** power
    np.testing.assert_allclose(sampler.chance, weight / weight.sum())
    counts = torch.bincount(sampler((20000,), generator()), minlength=4)
    np.testing.assert_allclose(counts / 20000, weight / weight.sum(), atol=0.015)


def test_hard_negatives_are_the_best_of_a_pool():
    graph = build_graph(make_interactions([(0, 0)], 1, 1000), np.arange(1))
    block = PairBlock(torch.zeros(400, dtype=torch.long), torch.zeros(400, dtype=torch.long))
    drawn = PairNegatives(graph, "hard", 2)(block, by_item, generator()).double() / 1000
    # The highest of n uniform numbers is n / (n + 1) on average.
    assert drawn.mean().item() == pytest.approx(HARD_POOL / (HARD_POOL + 1), abs=0.01)


def test_negatives_of_the_batch_are_positives_of_others():
    pairs = [(0, 0), (0, 1), (1, 2), (1, 3)]
    graph = build_graph(make_interactions(pairs, 2, 50), np.arange(4))
    block = PairBlock(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 2, 3]))
    drawn = PairNegatives(graph, "in_batch", 100)(block, by_item, generator())
    # Half the draws are of the other user; the rest were seen, so they are even draws of 48 items.
    assert torch.isin(drawn[:2], torch.tensor([2, 3])).float().mean().item() == pytest.approx(0.52, abs=0.1)
