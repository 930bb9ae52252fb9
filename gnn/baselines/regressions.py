"""Sparse linear methods: each item regressed on the others."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from gnn.baselines.choice import best_in_validation
from gnn.baselines.kernels import non_negative_regressions
from gnn.baselines.matrix import ProductScorer, interaction_matrix
from gnn.evaluate import Scorer, Targets
from gnn.graph import Graph
from gnn.kernels import PARTS

REGULARISATIONS = ((0.1, 60.0), (1.0, 10.0))
"""Weights of the sum of weights and of half their squares: for a dense table, and for a sparse one."""
TOLERANCE = 1e-5
"""Change of a weight that counts as none."""
SWEEPS = 1000
COLUMNS_AT_ONCE = 1024


def slim(graph: Graph, valid: Targets) -> Scorer:
    """SLIM (Ning and Karypis 2011): a non-negative elastic net for each item's column, with a zero diagonal."""
    by_user = interaction_matrix(graph)
    return best_in_validation((ProductScorer(by_user, item_weights(by_user, l1, l2)) for l1, l2 in REGULARISATIONS), graph, valid)


def item_weights(by_user: sparse.csr_array, l1: float, l2: float) -> sparse.csr_array:
    """The regression weights of a matrix of ones, [n_items, n_items]; column j predicts item j."""
    by_item = by_user.tocsc()
    n_items = by_user.shape[1]
    blocks = []
    for start in range(0, n_items, COLUMNS_AT_ONCE):
        columns = np.arange(start, min(start + COLUMNS_AT_ONCE, n_items))
        weights = np.zeros((len(columns), n_items), dtype=np.float32)
        parts = np.linspace(0, len(columns), min(len(columns), PARTS) + 1).astype(np.int32)
        arrays = (by_item.indptr, by_item.indices, by_user.indptr, by_user.indices)
        non_negative_regressions(*arrays, columns, l1, l2, TOLERANCE, SWEEPS, parts, weights)
        blocks.append(sparse.csr_array(weights))
    return sparse.vstack(blocks).T.tocsr()
