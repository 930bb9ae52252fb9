"""Popularity, and neighbourhoods of items and of users."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from gnn.baselines.matrix import ProductScorer, interaction_matrix
from gnn.evaluate import Scorer
from gnn.graph import Graph

NEIGHBOURS = 100
COLUMNS_AT_ONCE = 1024
RP3_NEIGHBOURS = 400
RP3_BETA = 0.4
"""How much RP3beta divides by popularity; chosen, with its neighbours, on the validation part of MovieLens-100K."""


class _Popularity:
    """The same ranking for everybody: items by their number of training users."""

    def __init__(self, counts: Tensor) -> None:
        self.counts = counts

    def score(self, users: Tensor) -> Tensor:
        return self.counts.repeat(len(users), 1)


def popularity(graph: Graph) -> Scorer:
    return _Popularity(graph.item_degree.to(torch.float32))


def item_knn(graph: Graph) -> Scorer:
    """Item-based neighbours with cosine similarity (Aiolli 2013), as RecBole's ItemKNN with k 100 and no shrinkage."""
    interactions = interaction_matrix(graph)
    unit = _unit_columns(interactions)
    return ProductScorer(interactions, _nearest(unit.T.tocsr(), unit.tocsc(), NEIGHBOURS))


def user_knn(graph: Graph) -> Scorer:
    """User-based neighbours with cosine similarity: an item's score is the similarity of the neighbours who have it."""
    interactions = interaction_matrix(graph)
    unit = _unit_columns(interactions.T.tocsr())
    return ProductScorer(_nearest(unit.T.tocsr(), unit.tocsc(), NEIGHBOURS).T.tocsr(), interactions)


def rp3beta(graph: Graph) -> Scorer:
    """RP3beta (Paudel et al. 2017): random walks user - item - user - item, divided by the item's popularity to the power beta.

    As in the evaluation of Dacrema et al. (2019, arXiv 1907.06902), an item keeps only its nearest others.
    """
    interactions = interaction_matrix(graph)
    to_user = interactions.T.tocsr() * _inverse(graph.item_degree, 1.0)[:, None]
    to_item = interactions * _inverse(graph.user_degree, 1.0)[:, None] * _inverse(graph.item_degree, RP3_BETA)[None, :]
    return ProductScorer(interactions, _nearest(to_user.tocsr(), to_item.tocsc(), RP3_NEIGHBOURS))


def _inverse(degree: Tensor, power: float) -> np.ndarray:
    """degree to the power -power, float32; a node without edges has no entries to scale."""
    inverse: np.ndarray = np.maximum(degree.numpy(), 1).astype(np.float32) ** np.float32(-power)
    return inverse


def _unit_columns(matrix: sparse.csr_array) -> sparse.csr_array:
    """A matrix of ones with columns of length 1."""
    # RecBole guards its division with 1e-6 where we clamp: what has no interactions is similar to nothing.
    scale = 1.0 / np.sqrt(np.maximum(matrix.sum(0), 1.0))
    return (matrix * scale[None, :]).tocsr()


def _nearest(left: sparse.csr_array, right: sparse.csc_array, count: int) -> sparse.csr_array:
    """left @ right, [n, n], without its diagonal and with only the ``count`` largest entries of each column."""
    n = left.shape[0]
    blocks = []
    for start in range(0, n, COLUMNS_AT_ONCE):
        similarity = (left @ right[:, start : start + COLUMNS_AT_ONCE]).toarray()
        columns = np.arange(similarity.shape[1])
        similarity[start + columns, columns] = 0.0
        if n > count:
            dropped = np.argpartition(similarity, -count, axis=0)[:-count]
            np.put_along_axis(similarity, dropped, 0.0, axis=0)
        blocks.append(sparse.csc_array(similarity))
    return sparse.hstack(blocks).tocsr()
