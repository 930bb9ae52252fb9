"""A structurally symmetric sparse matrix over all nodes, as every operator of the engine reads it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from gnn.kernels import row_parts


@dataclass(frozen=True, eq=False)
class Adjacency:
    """Rows of neighbours in CSR form with int32 indices; for every entry (i, j) there is an entry (j, i).

    Rows are sorted by column. ``values`` are symmetric, so the matrix is its own transpose and one
    kernel serves both directions of a product with it.
    """

    indptr: Tensor
    """Row limits, int32 [nodes + 1]."""
    indices: Tensor
    """Column of each entry, int32 [entries]."""
    values: Tensor
    """Symmetrically normalised weight of each entry, float32 [entries]."""
    reverse: Tensor
    """Position of (j, i) for the entry (i, j), int32 [entries]."""
    buckets: Tensor
    """Kind of the edge behind each entry, int64 [entries]; see :class:`gnn.graph.Graph`."""
    parts: Tensor
    """Row limits of the parts that threads share out, int32."""

    @classmethod
    def build(cls, indptr: np.ndarray, indices: np.ndarray, reverse: np.ndarray, buckets: np.ndarray) -> Adjacency:
        """Normalise as D^-1/2 A D^-1/2, where the degree D counts a row's entries; a row may be empty."""
        degree = np.diff(indptr)
        scale = 1.0 / np.sqrt(np.maximum(degree, 1))
        rows = np.repeat(np.arange(len(degree)), degree)
        return cls(
            indptr=torch.from_numpy(indptr.astype(np.int32)),
            indices=torch.from_numpy(indices.astype(np.int32)),
            values=torch.from_numpy((scale[rows] * scale[indices]).astype(np.float32)),
            reverse=torch.from_numpy(reverse.astype(np.int32)),
            buckets=torch.from_numpy(buckets.astype(np.int64)),
            parts=torch.from_numpy(row_parts(indptr)),
        )

    @property
    def n_nodes(self) -> int:
        return len(self.indptr) - 1

    @cached_property
    def degree(self) -> Tensor:
        """Entries of each row, float32 [nodes]."""
        return self.indptr.diff().to(torch.float32)

    @cached_property
    def matrix(self) -> Tensor:
        """The same matrix as a torch CSR tensor, the form PyG's message passing takes."""
        return self.matrix_of(self.values)

    def matrix_of(self, values: Tensor) -> Tensor:
        """A torch CSR tensor of this structure with other entries."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
            return torch.sparse_csr_tensor(self.indptr, self.indices, values, (self.n_nodes, self.n_nodes), check_invariants=False)

    def to(self, device: torch.device | str) -> Adjacency:
        names = ("indptr", "indices", "values", "reverse", "buckets", "parts")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})
