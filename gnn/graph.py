"""Training interactions as a bipartite graph: both edge directions, normalised once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gnn.adjacency import Adjacency
from gnn.errors import DataError

if TYPE_CHECKING:
    from gnn.interactions import Interactions

WEIGHT_LEVELS = 10
"""Up to this many distinct weights (half-star ratings) are each a bucket of their own."""
WEIGHT_QUANTILES = 5
RECENCY_QUANTILES = 4


@dataclass(frozen=True, eq=False)
class Graph:
    """The training graph; node ``u`` is user u, node ``n_users + i`` is item i.

    Every edge belongs to one of ``n_buckets`` buckets, by its weight (rating) and its recency. Edge
    embeddings are given to buckets, so they are shared and do not grow with the data.
    """

    n_users: int
    n_items: int
    n_buckets: int
    plain: Adjacency
    """Edges in both directions, D^-1/2 A D^-1/2."""
    seen_indptr: Tensor
    """Limits of each user's training items in ``seen_items``, int64 [n_users + 1]."""
    seen_items: Tensor
    """Training items, ascending within a user, int64 [edges]."""
    user_features: Tensor | None = None
    """Attributes of users as numbers, float32 [n_users, f]."""
    item_features: Tensor | None = None
    """Those of items, float32 [n_items, g]."""

    @property
    def n_nodes(self) -> int:
        return self.n_users + self.n_items

    @property
    def n_edges(self) -> int:
        return len(self.seen_items)

    @cached_property
    def looped(self) -> Adjacency:
        """``plain`` with a self-loop at every node, normalised with the loops counted; their bucket is ``n_buckets``."""
        return self.plain.with_loops(self.n_users, self.n_buckets)

    @cached_property
    def bucket_share(self) -> Tensor:
        """Share of each bucket among a node's edges, float32 [nodes, n_buckets]; a node without edges has zeros."""
        return self._bucket_sums(torch.ones_like(self.plain.values)) / self.plain.degree.clamp(min=1)[:, None]

    @cached_property
    def bucket_mass(self) -> Tensor:
        """Sum of the normalised entries of each bucket in a node's row, float32 [nodes, n_buckets]."""
        return self._bucket_sums(self.plain.values)

    def _bucket_sums(self, values: Tensor) -> Tensor:
        cell = self.plain.rows * self.n_buckets + self.plain.buckets
        sums = torch.bincount(cell, weights=values, minlength=self.n_nodes * self.n_buckets)
        return sums.view(self.n_nodes, self.n_buckets).to(values.dtype)

    def without_edges(self, share: float, generator: torch.Generator) -> Graph:
        """A graph to propagate over in which a random ``share`` of the edges is missing, normalised anew.

        What users have seen stays as it is. At least one edge remains.
        """
        kept = torch.rand(self.n_edges, generator=generator) >= share
        kept[0] |= ~kept.any()
        kept = kept.to(self.plain.reverse.device)
        # The second half of the entries are the same edges as the items see them.
        both = torch.cat([kept, kept[self.plain.reverse[self.n_edges :].long()]])
        return replace(self, plain=self.plain.subset(both))

    @cached_property
    def user_degree(self) -> Tensor:
        """Training items of each user, int64 [n_users]."""
        return self.seen_indptr.diff()

    @cached_property
    def item_degree(self) -> Tensor:
        """Training users of each item, int64 [n_items]."""
        return self.plain.degree[self.n_users :].long()

    @property
    def cold_users(self) -> int:
        """Users without a training interaction: known to the catalogue, but the graph cannot place them."""
        return int((self.user_degree == 0).sum())

    @property
    def cold_items(self) -> int:
        """Items without a training interaction."""
        return int((self.item_degree == 0).sum())

    def to(self, device: torch.device | str) -> Graph:
        names = ("plain", "seen_indptr", "seen_items", "user_features", "item_features")
        moved = {name: value.to(device) for name in names if (value := getattr(self, name)) is not None}
        return replace(self, **moved)


def build_graph(
    interactions: Interactions,
    train_index: np.ndarray,
    user_features: np.ndarray | None = None,
    item_features: np.ndarray | None = None,
) -> Graph:
    """Build the graph of the interactions at ``train_index``.

    A (user, item) pair that occurs more than once is one edge and takes the weight and time of its
    latest occurrence (by time; by row where there is no time).

    Args:
        user_features, item_features: attributes as numbers, [n_users, f] and [n_items, g], in the order of the ids.

    Raises:
        DataError: there is no training interaction, one has a weight that is not finite, or features do not fit the
            users or items or are not finite.
    """
    train_index = np.asarray(train_index, dtype=np.int64)
    if len(train_index) == 0:
        raise DataError("There is no training interaction, so there is no graph to learn from.")
    kept = _latest_of_each_pair(interactions, train_index)
    n_users, n_items = interactions.n_users, interactions.n_items
    user = interactions.user[kept].astype(np.int64)
    item = interactions.item[kept].astype(np.int64)
    bucket, n_buckets = _edge_buckets(interactions, kept)

    n_edges = len(kept)
    # Edges are ordered by (user, item). Entry e of the first half is edge e as the user sees it; the
    # second half holds the same edges in the order of the items' rows.
    by_item = np.argsort(item, kind="stable")
    place_by_item = np.empty(n_edges, dtype=np.int64)
    place_by_item[by_item] = np.arange(n_edges)
    counts = np.concatenate([np.bincount(user, minlength=n_users), np.bincount(item, minlength=n_items)])
    indptr = np.concatenate([[0], np.cumsum(counts)])
    indices = np.concatenate([item + n_users, user[by_item]])
    reverse = np.concatenate([n_edges + place_by_item, by_item])
    buckets = np.concatenate([bucket, bucket[by_item]])
    return Graph(
        n_users=n_users,
        n_items=n_items,
        n_buckets=n_buckets,
        plain=Adjacency.build(*(torch.from_numpy(array) for array in (indptr, indices, reverse, buckets))),
        seen_indptr=torch.from_numpy(indptr[: n_users + 1].astype(np.int64)),
        seen_items=torch.from_numpy(item),
        user_features=None if user_features is None else _features("user", user_features, n_users),
        item_features=None if item_features is None else _features("item", item_features, n_items),
    )


def _features(kind: str, features: np.ndarray, n: int) -> Tensor:
    if features.ndim != 2 or len(features) != n or features.shape[1] == 0:
        raise DataError(f"The {kind} features must be a table of {n} rows, one for each {kind}, but have the shape {features.shape}.")
    with np.errstate(over="ignore"):  # infinite then, and refused
        values = features.astype(np.float32)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = bad[0]
        raise DataError(
            f"The {kind} features have the value {features[row, column]} at row {row}, column {column} (both from 0), and "
            f"{len(bad)} in all that are not finite; fill in or leave out what is missing."
        )
    return torch.from_numpy(values)


def _latest_of_each_pair(interactions: Interactions, index: np.ndarray) -> np.ndarray:
    """Positions of one interaction per (user, item) pair, ordered by (user, item)."""
    user = interactions.user[index].astype(np.int64)
    pair = user * interactions.n_items + interactions.item[index]
    time = np.zeros(len(index), dtype=np.int64) if interactions.timestamp is None else interactions.timestamp[index]
    order = np.lexsort((index, time, pair))
    last = np.append(np.diff(pair[order]) != 0, True)
    kept: np.ndarray = index[order[last]]
    return kept


def _edge_buckets(interactions: Interactions, kept: np.ndarray) -> tuple[np.ndarray, int]:
    """Bucket of each kept interaction and the number of buckets: weight buckets x recency buckets."""
    bucket = np.zeros(len(kept), dtype=np.int64)
    n_buckets = 1
    if interactions.weight is not None:
        weight = interactions.weight[kept]
        bad = np.flatnonzero(~np.isfinite(weight))
        if len(bad):
            raise DataError(
                f"{len(bad)} of {len(weight)} training interactions have a weight that is not finite; "
                f"the first is {weight[bad[0]]} at interaction {kept[bad[0]]}, counted from 0."
            )
        levels = np.unique(weight)
        limits = levels[1:] if len(levels) <= WEIGHT_LEVELS else _quantile_limits(weight, WEIGHT_QUANTILES)
        bucket = np.searchsorted(limits, weight, side="right")
        n_buckets = len(limits) + 1
    if interactions.timestamp is not None:
        time = interactions.timestamp[kept]
        limits = _quantile_limits(time, RECENCY_QUANTILES)
        bucket = bucket * (len(limits) + 1) + np.searchsorted(limits, time, side="right")
        n_buckets *= len(limits) + 1
    return bucket, n_buckets


def _quantile_limits(values: np.ndarray, n: int) -> np.ndarray:
    """Lower limits of the second to the last of at most ``n`` groups of about equal size."""
    limits = np.unique(np.quantile(values, np.linspace(0, 1, n + 1)[1:-1], method="nearest"))
    above_lowest: np.ndarray = limits[limits > values.min()]
    return above_lowest
