"""GAT: neighbours weighted by learned attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gnn.adjacency import Adjacency
from gnn.graph import Graph
from gnn.layers.base import Operator, initialise_square
from gnn.spmm import edge_softmax, spmm_weighted, spread_buckets

SLOPE = 0.2
"""LeakyReLU's slope below zero, as in the paper and in PyG."""


class AttentionLayer(Operator):
    """GAT with one head (Velickovic et al. 2018, arXiv 1710.10903), each node attending to itself too.

    h = x W;  alpha_ij = softmax_j LeakyReLU(a_target . h_i + a_source . h_j + a_edge . e_ij);
    x'_i = sum_j alpha_ij h_j + b. Edge embeddings also add their mean over a node's edges as a message.
    """

    def __init__(self, dim: int, edge_dim: int) -> None:
        super().__init__(dim, edge_dim)
        self.lin = nn.Linear(dim, dim)
        self.target = nn.Parameter(torch.zeros(dim))
        self.source = nn.Parameter(torch.zeros(dim))
        if edge_dim:
            self.edge = nn.Parameter(torch.zeros(edge_dim))
            self.message_weight = nn.Parameter(torch.zeros(edge_dim, dim))

    def forward(self, x: Tensor, graph: Graph, edges: Tensor | None) -> Tensor:
        hidden = x @ self.lin.weight.t()
        adjacency = graph.looped
        if edges is None:
            bias = torch.zeros_like(adjacency.values)
        else:
            bias = spread_buckets(adjacency, torch.cat([edges @ self.edge, edges.new_zeros(1)]))
        alpha = edge_softmax(adjacency, hidden @ self.target, hidden @ self.source, bias, SLOPE)
        out = self.propagate(adjacency.matrix, x=hidden, alpha=alpha, adjacency=adjacency) + self.lin.bias
        return out if edges is None else out + graph.bucket_share @ (edges @ self.message_weight)

    def message_and_aggregate(self, adj_t: Tensor, x: Tensor, alpha: Tensor, adjacency: Adjacency) -> Tensor:
        return spmm_weighted(adjacency, alpha, x)

    def initialise(self, generator: torch.Generator) -> None:
        initialise_square(self.lin.weight, generator)
        nn.init.zeros_(self.lin.bias)
        with torch.no_grad():
            for vector in (self.target, self.source):
                vector.copy_(torch.randn(self.dim, generator=generator) / self.dim**0.5)
        if self.edge_dim:
            nn.init.zeros_(self.edge)
            nn.init.zeros_(self.message_weight)
