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
    rows = torch.repeat_interleave(torch.arange(len(users)), degree)
    starts = graph.seen_indptr[users] - (degree.cumsum(0) - degree)
    return UserBlock(users, rows, graph.seen_items[torch.arange(len(rows)) + starts[rows]])


@dataclass(frozen=True, eq=False)
class PairBlock:
    """Interactions, each with an item its user has not seen; int64 [P] each."""

    users: Tensor
    positives: Tensor
    negatives: Tensor


class NegativeSampler:
    """Draws, for given users, items uniformly from those the user has no training interaction with.

    Exact and without rejection: if a user's seen items are s_0 < s_1 < ..., then before the r-th unseen
    item stand exactly the seen items with s_k - k <= r, which one binary search over all users counts.
    """

    def __init__(self, graph: Graph) -> None:
        self.indptr = graph.seen_indptr
        self.unseen = graph.n_items - graph.user_degree
        user = torch.repeat_interleave(torch.arange(graph.n_users), graph.user_degree)
        place = torch.arange(graph.n_edges) - self.indptr[user]
        self.stride = graph.n_items + 1
        self.keys = user * self.stride + graph.seen_items - place

    def __call__(self, users: Tensor, generator: torch.Generator) -> Tensor:
        """One unseen item per given user; every user must have one (``unseen > 0``)."""
        # Double precision: float32 could not name every item of a large catalogue.
        share = torch.rand(len(users), generator=generator, dtype=torch.float64)
        rank = (share * self.unseen[users]).long()
        before = torch.searchsorted(self.keys, users * self.stride + rank, right=True) - self.indptr[users]
        return rank + before


def pair_blocks(graph: Graph, sampler: NegativeSampler, size: int, generator: torch.Generator) -> Iterator[PairBlock]:
    """Pass over all training interactions in random order, about ``size`` at a time, one negative each.

    Users who have seen every item have no negative and are left out.
    """
    user = torch.repeat_interleave(torch.arange(graph.n_users), graph.user_degree)
    usable = torch.nonzero(sampler.unseen[user] > 0).flatten()
    order = usable[torch.randperm(len(usable), generator=generator)]
    if len(order) == 0:
        return
    for edges in order.tensor_split(max(1, round(len(order) / size))):
        users = user[edges]
        yield PairBlock(users, graph.seen_items[edges], sampler(users, generator))
