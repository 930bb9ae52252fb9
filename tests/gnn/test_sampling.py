from __future__ import annotations

import numpy as np
import pytest
import torch

from gnn.graph import build_graph
from gnn.sampling import NegativeSampler, block_of, pair_blocks, user_blocks
from tests.gnn.toy import make_interactions, random_interactions


@pytest.fixture
def graph():
    interactions = random_interactions(1)
    return build_graph(interactions, np.arange(len(interactions)))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def seen(graph, user):
    return graph.seen_items[graph.seen_indptr[user] : graph.seen_indptr[user + 1]].tolist()


def test_a_pass_over_users_visits_each_active_user_once(graph):
    blocks = list(user_blocks(graph, 5, generator()))
    users = torch.cat([block.users for block in blocks])
    assert sorted(users.tolist()) == torch.nonzero(graph.user_degree).flatten().tolist()
    sizes = [len(block.users) for block in blocks]
    assert max(sizes) - min(sizes) <= 1


def test_a_block_holds_all_items_of_its_users(graph):
    users = torch.tensor([7, 3, 5])
    block = block_of(graph, users)
    for place, user in enumerate(users.tolist()):
        assert block.items[block.rows == place].tolist() == seen(graph, user)


def test_a_pass_over_pairs_visits_each_interaction_once_with_an_unseen_item(graph):
    sampler = NegativeSampler(graph)
    blocks = list(pair_blocks(graph, sampler, 10, generator()))
    pairs = sorted((u, i) for block in blocks for u, i in zip(block.users.tolist(), block.positives.tolist(), strict=True))
    assert pairs == [(user, item) for user in range(graph.n_users) for item in seen(graph, user)]
    for block in blocks:
        for user, negative in zip(block.users.tolist(), block.negatives.tolist(), strict=True):
            assert 0 <= negative < graph.n_items and negative not in seen(graph, user)


def test_negatives_are_uniform_over_the_unseen_items():
    graph = build_graph(make_interactions([(0, 0), (0, 3), (0, 5), (1, 1)], 2, 7), np.arange(4))
    drawn = NegativeSampler(graph)(torch.zeros(4000, dtype=torch.long), generator())
    counts = torch.bincount(drawn, minlength=7).tolist()
    assert [counts[item] for item in (0, 3, 5)] == [0, 0, 0]
    # 1000 expected with a standard deviation of 27.
    assert all(abs(counts[item] - 1000) < 120 for item in (1, 2, 4, 6))


def test_users_who_have_seen_everything_are_left_out_of_pairs():
    graph = build_graph(make_interactions([(0, 0), (0, 1), (1, 0)], 2, 2), np.arange(3))
    blocks = list(pair_blocks(graph, NegativeSampler(graph), 10, generator()))
    assert torch.cat([block.users for block in blocks]).tolist() == [1]
    full = build_graph(make_interactions([(0, 0), (0, 1)], 1, 2), np.arange(2))
    assert list(pair_blocks(full, NegativeSampler(full), 10, generator())) == []


def test_the_generator_alone_decides(graph):
    sampler = NegativeSampler(graph)

    def draw(seed):
        torch.manual_seed(torch.randint(100, ()).item())  # the global generator must not matter
        return [block.negatives.tolist() for block in pair_blocks(graph, sampler, 7, generator(seed))]

    assert draw(3) == draw(3)
    assert draw(3) != draw(4)
