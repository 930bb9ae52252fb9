"""Which users, interactions and negatives make a training step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gnn.graph import Graph


@dataclass(frozen=True, eq=False)
class UserBlock:
    """Some users with all their training items."""

    users: Tensor
    """Codes, int64 [B]."""
    rows: Tensor
    """For each positive, the place of its user in ``users``, int64 [P], ascending."""
    items: Tensor
    """The positives, int64 [P]."""


def user_blocks(graph: Graph, size: int, generator: torch.Generator) -> Iterator[UserBlock]:
    """Pass over all users that have training items, in random order, about ``size`` at a time.

    The blocks of one pass are as equal as possible: a small last block would be a noisy step.
    """
    active = torch.nonzero(graph.user_degree > 0).flatten()
    order = active[torch.randperm(len(active), generator=generator)]
    for users in order.tensor_split(max(1, round(len(order) / size))):
        yield block_of(graph, users)


def block_of(graph: Graph, users: Tensor) -> UserBlock:
    """The block of the given users."""
    degree = graph.user_degree[users]
    rows = torch.repeat_interleave(degree)
    starts = graph.seen_indptr[users] - (degree.cumsum(0) - degree)
    return UserBlock(users, rows, graph.seen_items[torch.arange(len(rows), device=rows.device) + starts[rows]])


@dataclass(frozen=True, eq=False)
class PairBlock:
    """Some training interactions; int64 [P] each."""

    users: Tensor
    items: Tensor


def pair_blocks(graph: Graph, usable: Tensor, size: int, generator: torch.Generator) -> Iterator[PairBlock]:
    """Pass over the training interactions of ``usable`` users, bool [n_users], in random order, about ``size`` at a time."""
    user = torch.repeat_interleave(graph.user_degree)
    edges = torch.nonzero(usable[user]).flatten()
    order = edges[torch.randperm(len(edges), generator=generator)]
    n_blocks = max(1, round(len(order) / size))
    users, items = (side.index_select(0, order).tensor_split(n_blocks) for side in (user, graph.seen_items))
    yield from map(PairBlock, users, items)
