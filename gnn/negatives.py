"""Items that a seen item is compared with: drawn evenly, by popularity, from the batch, or the hardest of several."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gnn import pair_kernels
from gnn.graph import Graph
from gnn.sampling import PairBlock

POPULARITY_POWER = 0.75
"""Items are drawn in proportion to this power of their degree, as word2vec does."""
HARD_POOL = 8
"""Unseen items of which the hardest is taken."""


class NegativeSampler:
    """Draws, for given users, items uniformly from those the user has no training interaction with.

    Exact and without rejection: if a user's seen items are s_0 < s_1 < ..., then before the r-th unseen
    item stand exactly the seen items with s_k - k <= r, which one binary search over all users counts.
    """

    def __init__(self, graph: Graph) -> None:
        self.n_items = graph.n_items
        self.indptr, self.seen = graph.seen_indptr, graph.seen_items
        self.unseen = graph.n_items - graph.user_degree
        user = torch.repeat_interleave(graph.user_degree)
        place = torch.arange(graph.n_edges, device=user.device) - self.indptr[user]
        self.stride = graph.n_items + 1
        self.keys = user * self.stride + graph.seen_items - place

    def __call__(self, users: Tensor, generator: torch.Generator) -> Tensor:
        """One unseen item for each of the given users, which may repeat and have any shape; all need one (``unseen > 0``)."""
        # Double precision: float32 could not name every item of a large catalogue.
        share = torch.rand(users.shape, generator=generator, dtype=torch.float64).to(users.device)
        if users.device.type == "cpu":
            out = torch.empty(users.shape, dtype=torch.int64)
            flat, indptr, seen = users.contiguous().view(-1).numpy(), self.indptr.numpy(), self.seen.numpy()
            pair_kernels.unseen(flat, share.view(-1).numpy(), indptr, seen, self.n_items, out.view(-1).numpy())
            return out
        return self.ranked(users, share)

    def ranked(self, users: Tensor, share: Tensor) -> Tensor:
        """The items at ``share`` of the way through the unseen ones, in torch operations for any device."""
        rank = (share * self.unseen[users]).long()
        before = torch.searchsorted(self.keys, users * self.stride + rank, right=True) - self.indptr[users]
        return rank + before


class PopularitySampler:
    """Draws items in proportion to a power of their degree, whoever has seen them."""

    def __init__(self, graph: Graph, power: float = POPULARITY_POWER) -> None:
        weight = graph.item_degree.double() ** power
        self.chance = weight / weight.sum()
        self.limits = self.chance.cumsum(0)

    def __call__(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        share = torch.rand(shape, generator=generator, dtype=torch.float64).to(self.limits.device)
        # Rounding may leave the last limit below the highest share.
        return torch.searchsorted(self.limits, share * self.limits[-1], right=True).clamp_(max=len(self.limits) - 1)


class PairNegatives:
    """Draws ``count`` unseen items for every interaction of a block, by the name of the catalogue's choice."""

    def __init__(self, graph: Graph, kind: str, count: int) -> None:
        self.kind = kind
        self.count = count
        self.even = NegativeSampler(graph)
        self.popular = PopularitySampler(graph)
        self.n_items = graph.n_items
        self.seen = torch.repeat_interleave(graph.user_degree) * graph.n_items + graph.seen_items

    @property
    def looked_at(self) -> int:
        """Items scored for each interaction."""
        return self.count * (HARD_POOL if self.kind == "hard" else 1)

    def __call__(self, block: PairBlock, score: Callable[[Tensor, Tensor], Tensor], generator: torch.Generator) -> Tensor:
        """Unseen items, int64 [P, count].

        Args:
            score: gives the current scores of users [P] with items [P, M]; asked for hard negatives alone.
        """
        users = block.users[:, None].expand(-1, self.count)
        match self.kind:
            case "uniform":
                return self.even(users, generator)
            case "hard":
                pool = self.even(block.users[:, None].expand(-1, self.looked_at), generator)
                with torch.no_grad():
                    scores = score(block.users, pool).view(-1, self.count, HARD_POOL)
                return pool.view(scores.shape).gather(2, scores.argmax(2, keepdim=True)).squeeze(2)
            case "popularity":
                return self._unseen(users, self.popular(tuple(users.shape), generator), generator)
            case _:
                other = torch.randint(len(block.items), users.shape, generator=generator).to(users.device)
                return self._unseen(users, block.items[other], generator)

    def _unseen(self, users: Tensor, items: Tensor, generator: torch.Generator) -> Tensor:
        """The items, those that their user has seen replaced by even draws."""
        key = users * self.n_items + items
        known = self.seen[torch.searchsorted(self.seen, key).clamp_(max=len(self.seen) - 1)] == key
        return torch.where(known, self.even(users, generator), items)
