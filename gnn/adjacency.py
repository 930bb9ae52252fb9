"""A structurally symmetric sparse matrix over all nodes, as every operator of the engine reads it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import cached_property

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
    def build(cls, indptr: Tensor, indices: Tensor, reverse: Tensor, buckets: Tensor) -> Adjacency:
        """Normalise as D^-1/2 A D^-1/2, where the degree D counts a row's entries; a row may be empty."""
        degree = indptr.diff()
        scale = degree.clamp(min=1).double().rsqrt()
        values = scale.repeat_interleave(degree) * scale.index_select(0, indices)
        return cls(
            indptr=indptr.int(),
            indices=indices.int(),
            values=values.float(),
            reverse=reverse.int(),
            buckets=buckets.long(),
            parts=torch.from_numpy(row_parts(indptr.int().cpu().numpy())).to(indptr.device),
        )

    def subset(self, kept: Tensor) -> Adjacency:
        """Only the entries where ``kept`` is true, normalised anew; (i, j) and (j, i) must stay or go together."""
        place = torch.cat([kept.new_zeros(1, dtype=torch.long), kept.cumsum(0)])
        indptr, reverse = place[self.indptr.long()], place[self.reverse[kept].long()]
        return Adjacency.build(indptr, self.indices[kept], reverse, self.buckets[kept])

    def with_loops(self, n_users: int, bucket: int) -> Adjacency:
        """Add an entry (i, i) to every row, at the place where sorted columns want it.

        Args:
            n_users: nodes whose neighbours all come after them; those of the others come before them.
            bucket: of the new entries.
        """
        node = torch.arange(self.n_nodes, device=self.indptr.device)
        first = node < n_users
        indptr = self.indptr.long()
        loop_place = torch.where(first, indptr[:-1], indptr[1:]) + node
        moved = torch.arange(len(self.indices), device=node.device) + (node + first).repeat_interleave(indptr.diff())
        indices, reverse, buckets = (torch.empty(len(moved) + len(node), dtype=torch.long, device=node.device) for _ in range(3))
        indices[moved], indices[loop_place] = self.indices.long(), node
        reverse[moved], reverse[loop_place] = moved[self.reverse.long()], loop_place
        buckets[moved] = self.buckets
        buckets[loop_place] = bucket
        return Adjacency.build(indptr + torch.arange(self.n_nodes + 1, device=node.device), indices, reverse, buckets)

    @property
    def n_nodes(self) -> int:
        return len(self.indptr) - 1

    @cached_property
    def degree(self) -> Tensor:
        """Entries of each row, float32 [nodes]."""
        return self.indptr.diff().to(torch.float32)

    @property
    def rows(self) -> Tensor:
        """Row of each entry, int64 [entries]."""
        return torch.repeat_interleave(self.indptr.diff())

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
