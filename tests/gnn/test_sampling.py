from __future__ import annotations

import numpy as np
import pytest
import torch

from gnn.graph import build_graph
from gnn.negatives import NegativeSampler
from gnn.sampling import block_of, pair_blocks, user_blocks
from tests.gnn.toy import random_interactions


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


def test_a_pass_over_pairs_visits_each_interaction_of_usable_users_once(graph):
    usable = torch.arange(graph.n_users) != 2
    blocks = list(pair_blocks(graph, usable, 10, generator()))
    pairs = sorted((u, i) for block in blocks for u, i in zip(block.users.tolist(), block.items.tolist(), strict=True))
    assert pairs == [(user, item) for user in range(graph.n_users) if user != 2 for item in seen(graph, user)]


def test_the_generator_alone_decides(graph):
    sampler = NegativeSampler(graph)

    def draw(seed):
        torch.manual_seed(torch.randint(100, ()).item())  # the global generator must not matter
        given = generator(seed)
        blocks = pair_blocks(graph, graph.user_degree > 0, 7, given)
        return [(block.items.tolist(), sampler(block.users, given).tolist()) for block in blocks]

    assert draw(3) == draw(3)
    assert draw(3) != draw(4)
