"""Embeddings of users and items, learned by least squares or by gradients."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import sparse

from gnn.baselines.choice import best_in_validation
from gnn.baselines.kernels import bpr_descent, least_squares_rows
from gnn.baselines.matrix import interaction_matrix
from gnn.evaluate import EmbeddingScorer, Scorer, Targets
from gnn.graph import Graph
from gnn.kernels import row_parts
from gnn.model import build_model
from gnn.objectives import make_objective
from gnn.space import Architecture, Choice
from gnn.train import TrainConfig, fit

WIDTH = 64
INITIAL_SCALE = 0.1
IALS_SWEEPS = 15
IALS_SETTINGS = ((5.0, 30.0, 0.0), (100.0, 0.01, 1.0))
"""Weight of an interaction's squared error, beside 1 for each pair without one; regularisation; how it grows with frequency."""
BPR_EPOCHS = 100
BPR_RATE = 0.02
BPR_DECAY = 0.01
LIGHTGCN: dict[str, Choice] = {
    "node_dim": 64, "layers": 3, "operator.1": "lightgcn", "operator.2": "lightgcn", "operator.3": "lightgcn", "combination": "mean",
    "item_bias": "none", "dropout": 0.0, "loss": "bpr", "l2": 1e-4, "learning_rate": 1e-3, "averaging": 0.0,
}  # fmt: skip
"""The settings of He et al. (2020, arXiv 2002.02126)."""
LIGHTGCN_EPOCHS = 1000
LIGHTGCN_UPDATES = 20_000
"""After which it ends even if validation still improves: enough for the epochs above on MovieLens-100K."""
LIGHTGCN_PATIENCE = 20


def ials(graph: Graph, valid: Targets) -> Scorer:
    """Implicit ALS (Hu et al. 2008): weighted least squares for all users, then for all items, in turns; each solved exactly.

    A row's regularisation grows with a power of the weight of its pairs (Rendle et al. 2021, arXiv 2110.14037).
    """
    return best_in_validation((least_squares(graph, *settings) for settings in IALS_SETTINGS), graph, valid)


def least_squares(graph: Graph, confidence: float, regularisation: float, power: float) -> EmbeddingScorer:
    """The factors of one setting, see IALS_SETTINGS."""
    matrix = interaction_matrix(graph)
    transposed = matrix.T.tocsr()
    user_parts, item_parts = row_parts(matrix.indptr), row_parts(transposed.indptr)

    def ridge(rows: sparse.csr_array) -> np.ndarray:
        weight = (confidence - 1) * np.diff(rows.indptr) + rows.shape[1]
        strength: np.ndarray = (regularisation * weight**power).astype(np.float32)
        return strength

    user_ridge, item_ridge = ridge(matrix), ridge(transposed)
    generator = np.random.default_rng(0)
    users = np.empty((graph.n_users, WIDTH), dtype=np.float32)
    items = generator.normal(0.0, INITIAL_SCALE, (graph.n_items, WIDTH)).astype(np.float32)
    for _ in range(IALS_SWEEPS):
        least_squares_rows(matrix.indptr, matrix.indices, items, _gram(items), user_ridge, confidence, user_parts, users)
        least_squares_rows(transposed.indptr, transposed.indices, users, _gram(users), item_ridge, confidence, item_parts, items)
    return EmbeddingScorer(torch.from_numpy(users), torch.from_numpy(items))


def _gram(factors: np.ndarray) -> np.ndarray:
    # Through torch, which keeps to its share of the processor.
    rows = torch.from_numpy(factors)
    gram: np.ndarray = (rows.t() @ rows).numpy()
    return gram


def mf_bpr(graph: Graph) -> Scorer:
    """Matrix factorisation with an item bias, trained for Bayesian personalised ranking (Rendle et al. 2009, arXiv 1205.2618)."""
    generator = np.random.default_rng(0)
    users, items = (generator.normal(0.0, INITIAL_SCALE, (rows, WIDTH)).astype(np.float32) for rows in (graph.n_users, graph.n_items))
    bias = np.zeros(graph.n_items, dtype=np.float32)
    user = np.repeat(np.arange(graph.n_users), graph.user_degree.numpy())
    bpr_descent(user, graph.seen_items.numpy(), graph.seen_indptr.numpy(), users, items, bias, BPR_EPOCHS, BPR_RATE, BPR_DECAY, seed=0)
    with_bias = np.concatenate([users, np.ones((graph.n_users, 1), dtype=np.float32)], axis=1)
    return EmbeddingScorer(torch.from_numpy(with_bias), torch.from_numpy(np.concatenate([items, bias[:, None]], axis=1)))


def lightgcn(graph: Graph, valid: Targets) -> Scorer:
    """LightGCN as published, trained until validation stops improving, or for LIGHTGCN_UPDATES.

    Raises:
        Diverged, OutOfMemory: as for any network.
    """
    model = build_model(Architecture.of(LIGHTGCN), graph, seed=0)
    updates = max(1, round(graph.n_edges / make_objective(model, graph).size))
    config = TrainConfig(max_epochs=min(LIGHTGCN_EPOCHS, math.ceil(LIGHTGCN_UPDATES / updates)), patience=LIGHTGCN_PATIENCE)
    return fit(model, graph, valid, config).scorer
