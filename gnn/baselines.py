"""References that are not searched: a search has found something only if it beats them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from gnn.errors import DataError, OutOfMemory
from gnn.evaluate import Scorer
from gnn.graph import Graph

KNN_NEIGHBOURS = 100
KNN_COLUMNS_AT_ONCE = 1024
EASE_REGULARISATION = 250.0
EASE_MAX_ITEMS = 20_000
"""EASE inverts a dense [n_items, n_items] matrix; beyond this it needs more than 10 GB."""


class _Popularity:
    """The same ranking for everybody: items by their number of training users."""

    def __init__(self, graph: Graph) -> None:
        self.counts = graph.item_degree.to(torch.float32)

    def score(self, users: Tensor) -> Tensor:
        return self.counts.repeat(len(users), 1)


class _ItemWeights:
    """Scores a user by the rows of an item-to-item matrix that belong to its training items.

    ``interactions`` is [n_users, n_items] with ones; ``weights`` is [n_items, n_items], sparse or dense.
    """

    def __init__(self, interactions: sparse.csr_array, weights: sparse.csr_array | np.ndarray) -> None:
        self.interactions = interactions
        self.weights = weights

    def score(self, users: Tensor) -> Tensor:
        scores = self.interactions[users.numpy()] @ self.weights
        return torch.from_numpy(scores.toarray() if sparse.issparse(scores) else scores)


def _item_knn(graph: Graph) -> Scorer:
    """Item-based neighbours with cosine similarity (Aiolli 2013), as RecBole's ItemKNN with k 100 and no shrinkage."""
    interactions = _matrix(graph)
    # RecBole guards its division with 1e-6 where we clamp: an item without users is similar to none.
    scale = 1.0 / np.sqrt(np.maximum(interactions.sum(0), 1.0))
    unit = (interactions * scale[None, :]).tocsc()
    transposed = unit.T.tocsr()
    blocks = []
    for start in range(0, graph.n_items, KNN_COLUMNS_AT_ONCE):
        similarity = (transposed @ unit[:, start : start + KNN_COLUMNS_AT_ONCE]).toarray()
        columns = np.arange(similarity.shape[1])
        similarity[start + columns, columns] = 0.0
        if graph.n_items > KNN_NEIGHBOURS:
            dropped = np.argpartition(similarity, -KNN_NEIGHBOURS, axis=0)[:-KNN_NEIGHBOURS]
            np.put_along_axis(similarity, dropped, 0.0, axis=0)
        blocks.append(sparse.csc_array(similarity))
    return _ItemWeights(interactions, sparse.hstack(blocks).tocsr())


def _ease(graph: Graph) -> Scorer:
    """EASE^R (Steck 2019, arXiv 1905.03375): the closed-form item-to-item regression with a zero diagonal."""
    if graph.n_items > EASE_MAX_ITEMS:
        raise OutOfMemory(f"EASE needs a dense matrix of {graph.n_items:,} x {graph.n_items:,} items; it is run up to {EASE_MAX_ITEMS:,}.")
    interactions = _matrix(graph)
    gram = torch.from_numpy((interactions.T @ interactions).toarray()).to(torch.float64)
    gram.diagonal().add_(EASE_REGULARISATION)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram))
    weights = inverse / -inverse.diagonal()
    weights.fill_diagonal_(0.0)
    return _ItemWeights(interactions, weights.to(torch.float32).numpy())


def _matrix(graph: Graph) -> sparse.csr_array:
    """Training interactions as ones, [n_users, n_items]."""
    ones = np.ones(graph.n_edges, dtype=np.float32)
    return sparse.csr_array((ones, graph.seen_items.numpy(), graph.seen_indptr.numpy()), shape=(graph.n_users, graph.n_items))


BASELINES: dict[str, Callable[[Graph], Scorer]] = {"popularity": _Popularity, "itemknn": _item_knn, "ease": _ease}


def fit_baseline(name: str, graph: Graph) -> Scorer:
    """Fit the baseline called ``name`` on the training interactions.

    Raises:
        DataError: there is no baseline of that name.
        OutOfMemory: the catalogue is too large for it.
    """
    if name not in BASELINES:
        raise DataError(f"There is no baseline '{name}'; choose from {', '.join(BASELINES)}.")
    return BASELINES[name](graph)
