"""What all operators share: fused message passing over the graph, and gates learned from edge embeddings."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from gnn.adjacency import Adjacency
from gnn.graph import Graph
from gnn.spmm import spmm, spmm_weighted, spread_buckets

with warnings.catch_warnings():
    # The library compiles TorchScript while it is imported, which current torch calls deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from torch_geometric.nn import MessagePassing


class Operator(MessagePassing):
    """A layer over a :class:`~gnn.graph.Graph`; subclasses say how neighbours are weighted.

    With ``edge_dim`` > 0 the layer receives one embedding per edge bucket, [n_buckets, edge_dim].
    """

    def __init__(self, dim: int, edge_dim: int) -> None:
        super().__init__(aggr="add")
        self.dim = dim
        self.edge_dim = edge_dim

    def forward(self, x: Tensor, graph: Graph, edges: Tensor | None) -> Tensor:
        """Map node embeddings [nodes, dim] to [nodes, dim]; ``edges`` is None exactly when edge_dim is 0."""
        raise NotImplementedError

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the layer's weights."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.dim}, edge_dim={self.edge_dim})"


class FixedOperator(Operator):
    """An operator whose neighbour weights come from node degrees alone, times a gate per edge bucket.

    Along an edge of bucket b travels ``(1 + tanh(gate . e_b)) x_j + message e_b``. The second term does
    not depend on j, so its sum over neighbours is a product with the bucket masses of the graph.
    """

    def __init__(self, dim: int, edge_dim: int) -> None:
        super().__init__(dim, edge_dim)
        if edge_dim:
            self.gate = nn.Parameter(torch.zeros(edge_dim))
            self.message_weight = nn.Parameter(torch.zeros(edge_dim, dim))

    def gather(self, x: Tensor, adjacency: Adjacency, edges: Tensor | None) -> Tensor:
        """Sum of gated neighbours, [nodes, dim], without the additive messages."""
        values = None if edges is None else self.gated(adjacency.values, adjacency, edges)
        return self.propagate(adjacency.matrix, x=x, values=values, adjacency=adjacency)

    def gated(self, values: Tensor, adjacency: Adjacency, edges: Tensor) -> Tensor:
        """Values of the entries times the gates of their buckets, [entries]."""
        # Self-loops have one bucket more than the edges have; they pass ungated.
        gates = torch.cat([1 + torch.tanh(edges @ self.gate), edges.new_ones(1)])
        return values * spread_buckets(adjacency, gates)

    def message_and_aggregate(self, adj_t: Tensor, x: Tensor, values: Tensor | None, adjacency: Adjacency) -> Tensor:
        if values is None:
            return spmm(adjacency, x)
        # Both directions of an edge share its bucket, so the gated matrix stays symmetric.
        return spmm_weighted(adjacency, values, x, symmetric=True)

    def initialise(self, generator: torch.Generator) -> None:
        if self.edge_dim:
            # Edges start without influence; the embeddings they multiply do not, so gradients flow.
            nn.init.zeros_(self.gate)
            nn.init.zeros_(self.message_weight)


def initialise_square(weight: Tensor, generator: torch.Generator, noise: float = 0.1) -> None:
    """Identity plus noise: an untrained layer then propagates embeddings as they are, which trains far better
    here than a random mixture, since node embeddings carry no features to be mixed.
    """
    with torch.no_grad():
        nn.init.eye_(weight)
        weight += noise * torch.randn(weight.shape, generator=generator) / weight.shape[0] ** 0.5
