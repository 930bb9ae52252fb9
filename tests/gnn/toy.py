"""Small interaction tables whose right answer is known."""

from __future__ import annotations

import numpy as np
import polars as pl

from gnn.evaluate import Targets, build_targets
from gnn.graph import Graph, build_graph
from gnn.interactions import Interactions


def make_interactions(
    pairs: list[tuple[int, int]] | np.ndarray,
    n_users: int,
    n_items: int,
    weight: list[float] | np.ndarray | None = None,
    timestamp: list[int] | np.ndarray | None = None,
) -> Interactions:
    user, item = np.asarray(pairs, dtype=np.int32).reshape(-1, 2).T
    return Interactions(
        user=user.copy(),
        item=item.copy(),
        weight=None if weight is None else np.asarray(weight, dtype=np.float32),
        timestamp=None if timestamp is None else np.asarray(timestamp, dtype=np.int64),
        user_ids=pl.Series("user", [f"u{u}" for u in range(n_users)]),
        item_ids=pl.Series("item", [f"i{i}" for i in range(n_items)]),
    )


def random_interactions(seed: int = 0, n_users: int = 13, n_items: int = 9, share: float = 0.3) -> Interactions:
    """Random edges with ratings 1 to 5 and times; user 0 and item 0 have none."""
    generator = np.random.default_rng(seed)
    present = generator.random((n_users, n_items)) < share
    present[0, :] = present[:, 0] = False
    present[1, 1] = True
    pairs = np.argwhere(present)
    return make_interactions(
        pairs, n_users, n_items, generator.integers(1, 6, len(pairs)).astype(np.float32), generator.integers(0, 10**9, len(pairs))
    )


BLOCKS, BLOCK_USERS, BLOCK_ITEMS, HELD_OUT = 4, 12, 10, 3


def planted_blocks(seed: int = 0) -> tuple[Interactions, Graph, Targets]:
    """Users who only like the items of their own block; HELD_OUT items of each user are for validation.

    The held-out items are the only unseen ones of the block, so a model that finds the blocks has recall@3 of 1.
    """
    generator = np.random.default_rng(seed)
    train, valid = [], []
    for user in range(BLOCKS * BLOCK_USERS):
        items = user // BLOCK_USERS * BLOCK_ITEMS + generator.permutation(BLOCK_ITEMS)
        valid += [(user, int(item)) for item in items[:HELD_OUT]]
        train += [(user, int(item)) for item in items[HELD_OUT:]]
    pairs = np.array(train + valid)
    interactions = make_interactions(
        pairs,
        BLOCKS * BLOCK_USERS,
        BLOCKS * BLOCK_ITEMS,
        generator.integers(1, 6, len(pairs)).astype(np.float32),
        generator.integers(0, 10**9, len(pairs)),
    )
    graph = build_graph(interactions, np.arange(len(train)))
    return interactions, graph, build_targets(interactions, np.arange(len(train), len(pairs)), graph)


def dense(graph: Graph) -> np.ndarray:
    """The symmetric 0/1 adjacency of a graph, built from its training items alone, float64 [nodes, nodes]."""
    matrix = np.zeros((graph.n_nodes, graph.n_nodes))
    for user in range(graph.n_users):
        for item in graph.seen_items[graph.seen_indptr[user] : graph.seen_indptr[user + 1]].tolist():
            matrix[user, graph.n_users + item] = matrix[graph.n_users + item, user] = 1
    return matrix
