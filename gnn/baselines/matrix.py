"""Training interactions as a sparse matrix, and scorers made of one."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from gnn.graph import Graph


def interaction_matrix(graph: Graph) -> sparse.csr_array:
    """Training interactions as ones, float32 [n_users, n_items]."""
    ones = np.ones(graph.n_edges, dtype=np.float32)
    return sparse.csr_array((ones, graph.seen_items.numpy(), graph.seen_indptr.numpy()), shape=(graph.n_users, graph.n_items))


class ProductScorer:
    """Scores the users by their rows of ``left`` times ``right``: [n_users, m] and [m, n_items], either sparse or dense."""

    def __init__(self, left: sparse.csr_array | np.ndarray, right: sparse.csr_array | np.ndarray) -> None:
        self.left = left
        self.right = right

    def score(self, users: Tensor) -> Tensor:
        scores = self.left[users.numpy()] @ self.right
        return torch.from_numpy(scores.toarray() if sparse.issparse(scores) else scores)
