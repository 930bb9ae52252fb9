"""Closed forms: one linear map of what a user has to what it may want."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from gnn.baselines.kernels import linear_filter
from gnn.baselines.matrix import ProductScorer, interaction_matrix
from gnn.errors import OutOfMemory
from gnn.evaluate import Scorer
from gnn.graph import Graph
from gnn.kernels import PARTS

EASE_REGULARISATION = 250.0
EASE_MAX_ITEMS = 12_000
"""EASE inverts a dense [n_items, n_items] matrix in place; beyond this it needs more than 2 GB."""
GFCF_RANK = 256
GFCF_LOW_PASS = 0.3
"""Weight of the ideal low-pass filter beside the linear one; both values are the paper's."""
GFCF_RANK_SHARE = 16
"""A small dataset keeps one in so many of its singular vectors; chosen on the validation part of MovieLens-100K."""
SVD_OVERSAMPLING = 32
SVD_PASSES = 6


def ease(graph: Graph) -> Scorer:
    """EASE^R (Steck 2019, arXiv 1905.03375): the closed-form item-to-item regression with a zero diagonal.

    Raises:
        OutOfMemory: the catalogue has more than EASE_MAX_ITEMS items.
    """
    if graph.n_items > EASE_MAX_ITEMS:
        raise OutOfMemory(f"EASE needs a dense matrix of {graph.n_items:,} x {graph.n_items:,} items; it is run up to {EASE_MAX_ITEMS:,}.")
    interactions = interaction_matrix(graph)
    gram = torch.from_numpy((interactions.T @ interactions).toarray()).to(torch.float64)
    gram.diagonal().add_(EASE_REGULARISATION)
    # Each step takes the place of the one before: at this size a copy counts.
    factor = torch.linalg.cholesky(gram, out=gram)
    inverse = torch.cholesky_inverse(factor, out=factor)
    weights = inverse.div_(-inverse.diagonal().clone())
    weights.fill_diagonal_(0.0)
    return ProductScorer(interactions, weights.to(torch.float32).numpy())


class _GraphFilters:
    """Scores r (N'N + w D^-1/2 VV' D^1/2) for a user's row r of the interactions, without an [n_items, n_items] matrix."""

    def __init__(self, graph: Graph, interactions: sparse.csr_array, low: np.ndarray, high: Tensor) -> None:
        self.graph = graph
        self.interactions = interactions
        self.low = low
        """D^-1/2 V, [n_items, rank]."""
        self.high = high
        """w V' D^1/2, [rank, n_items]."""

    def score(self, users: Tensor) -> Tensor:
        scores = torch.from_numpy(self.interactions[users.numpy()] @ self.low) @ self.high
        plain = self.graph.plain
        adjacency = (plain.indptr.numpy(), plain.indices.numpy(), plain.values.numpy())
        parts = np.linspace(0, len(users), min(len(users), PARTS) + 1).astype(np.int32)
        linear_filter(*adjacency, users.numpy(), self.graph.n_users, parts, scores.numpy())
        return scores


def gfcf(graph: Graph) -> Scorer:
    """GF-CF (Shen et al. 2021, arXiv 2108.07567): a linear and an ideal low-pass graph filter; nothing is trained.

    N is D_u^-1/2 R D_i^-1/2, D is D_i, and V holds the first right singular vectors of N.
    """
    interactions = interaction_matrix(graph)
    user_scale = 1.0 / np.sqrt(np.maximum(graph.user_degree.numpy(), 1)).astype(np.float32)
    item_scale = 1.0 / np.sqrt(np.maximum(graph.item_degree.numpy(), 1)).astype(np.float32)
    normalised = (interactions * user_scale[:, None] * item_scale[None, :]).tocsr()
    vectors = right_singular_vectors(normalised, min(GFCF_RANK, max(1, min(normalised.shape) // GFCF_RANK_SHARE)))
    high = GFCF_LOW_PASS * vectors.T / item_scale[None, :]
    return _GraphFilters(graph, interactions, item_scale[:, None] * vectors, torch.from_numpy(high))


def right_singular_vectors(matrix: sparse.csr_array, rank: int) -> np.ndarray:
    """The first right singular vectors, float32 [columns, rank], by subspace iteration (Halko et al. 2011, arXiv 0909.4061)."""
    width = min(rank + SVD_OVERSAMPLING, *matrix.shape)
    transposed = matrix.T.tocsr()
    basis = np.random.default_rng(0).standard_normal((matrix.shape[1], width), dtype=np.float32)
    for _ in range(SVD_PASSES):
        # Dense algebra goes through torch, which keeps to its share of the processor.
        basis = torch.linalg.qr(torch.from_numpy(transposed @ (matrix @ basis))).Q.numpy()
    rotation = torch.linalg.svd(torch.from_numpy(matrix @ basis), full_matrices=False).Vh[:rank]
    vectors: np.ndarray = (torch.from_numpy(basis) @ rotation.t()).numpy()
    return vectors
