"""Operators whose neighbours are weighted by learned attention: GAT, GATv2 and the graph transformer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gnn.adjacency import Adjacency
from gnn.graph import Graph
from gnn.layers.base import Operator, initialise_square
from gnn.spmm import edge_softmax, entry_products, leaky_scores, spmm_weighted, spread_buckets

SLOPE = 0.2
"""LeakyReLU's slope below zero, as in the papers and in PyG."""


class AttentionOperator(Operator):
    """What attention layers share: heads side by side, each ``dim / heads`` wide, and the part edges take.

    Edge embeddings add ``a_edge . e_ij`` to each head's attention before the softmax, and their mean over
    a node's edges as a message.
    """

    def __init__(self, dim: int, edge_dim: int, heads: int) -> None:
        super().__init__(dim, edge_dim)
        self.heads = heads
        self.width = dim // heads
        self.lin = nn.Linear(dim, dim)
        if edge_dim:
            self.edge = nn.Parameter(torch.zeros(edge_dim, heads))
            self.message_weight = nn.Parameter(torch.zeros(edge_dim, dim))

    def split(self, x: Tensor) -> tuple[Tensor, ...]:
        """One part per head of [nodes, dim]."""
        parts: tuple[Tensor, ...] = x.split(self.width, dim=1)
        return parts

    def biases(self, adjacency: Adjacency, edges: Tensor | None) -> Sequence[Tensor]:
        """What the edges add to the attention of each entry, [entries] for each head."""
        if edges is None:
            return [torch.zeros_like(adjacency.values)] * self.heads
        # Self-loops have one bucket more than the edges have; nothing is added there.
        table = torch.cat([edges @ self.edge, edges.new_zeros(1, self.heads)])
        return [spread_buckets(adjacency, column) for column in table.t()]

    def attend(self, hidden: Tensor, alphas: Sequence[Tensor], adjacency: Adjacency, graph: Graph, edges: Tensor | None) -> Tensor:
        """Sum of neighbours weighted by each head's attention, plus bias and edge messages."""
        out = self.propagate(adjacency.matrix, x=hidden, alphas=alphas, adjacency=adjacency) + self.lin.bias
        return out if edges is None else out + graph.bucket_share @ (edges @ self.message_weight)

    def message_and_aggregate(self, adj_t: Tensor, x: Tensor, alphas: Sequence[Tensor], adjacency: Adjacency) -> Tensor:
        heads = zip(alphas, self.split(x), strict=True)
        return torch.cat([spmm_weighted(adjacency, alpha, part) for alpha, part in heads], dim=1)

    def initialise(self, generator: torch.Generator) -> None:
        initialise_square(self.lin.weight, generator)
        nn.init.zeros_(self.lin.bias)
        if self.edge_dim:
            nn.init.zeros_(self.edge)
            nn.init.zeros_(self.message_weight)

    def draw_vector(self, vector: Tensor, generator: torch.Generator) -> None:
        with torch.no_grad():
            vector.copy_(torch.randn(vector.shape, generator=generator) / self.width**0.5)


class AttentionLayer(AttentionOperator):
    """GAT (Velickovic et al. 2018, arXiv 1710.10903), each node attending to itself too.

    h = x W;  alpha_ij = softmax_j LeakyReLU(a_target . h_i + a_source . h_j + a_edge . e_ij);
    x'_i = sum_j alpha_ij h_j + b.
    """

    def __init__(self, dim: int, edge_dim: int, heads: int) -> None:
        super().__init__(dim, edge_dim, heads)
        self.target = nn.Parameter(torch.zeros(heads, self.width))
        self.source = nn.Parameter(torch.zeros(heads, self.width))

    def forward(self, x: Tensor, graph: Graph, edges: Tensor | None) -> Tensor:
        hidden = x @ self.lin.weight.t()
        adjacency = graph.looped
        alphas = [
            edge_softmax(adjacency, part @ target, part @ source, bias, SLOPE)
            for part, target, source, bias in zip(self.split(hidden), self.target, self.source, self.biases(adjacency, edges), strict=True)
        ]
        return self.attend(hidden, alphas, adjacency, graph, edges)

    def initialise(self, generator: torch.Generator) -> None:
        super().initialise(generator)
        self.draw_vector(self.target, generator)
        self.draw_vector(self.source, generator)


class DynamicAttentionLayer(AttentionOperator):
    """GATv2 (Brody et al. 2022, arXiv 2105.14491): which neighbour matters most depends on the node that asks.

    h = x W;  alpha_ij = softmax_j (a . LeakyReLU(x_i T + h_j) + a_edge . e_ij), each node attending to itself
    too;  x'_i = sum_j alpha_ij h_j + b.
    """

    def __init__(self, dim: int, edge_dim: int, heads: int) -> None:
        super().__init__(dim, edge_dim, heads)
        self.target = nn.Linear(dim, dim, bias=False)
        self.weight = nn.Parameter(torch.zeros(heads, self.width))

    def forward(self, x: Tensor, graph: Graph, edges: Tensor | None) -> Tensor:
        hidden = x @ self.lin.weight.t()
        adjacency = graph.looped
        nothing = x.new_zeros(graph.n_nodes)
        scores = [
            leaky_scores(adjacency, asking, part, weight, SLOPE)
            for asking, part, weight in zip(self.split(self.target(x)), self.split(hidden), self.weight, strict=True)
        ]
        biases = self.biases(adjacency, edges)
        alphas = [edge_softmax(adjacency, nothing, nothing, z + bias, 1.0) for z, bias in zip(scores, biases, strict=True)]
        return self.attend(hidden, alphas, adjacency, graph, edges)

    def initialise(self, generator: torch.Generator) -> None:
        super().initialise(generator)
        initialise_square(self.target.weight, generator)
        self.draw_vector(self.weight, generator)


class TransformerLayer(AttentionOperator):
    """Graph transformer (Shi et al. 2021, arXiv 2009.03509), without its gate.

    alpha_ij = softmax_j (x_i Q . x_j K / sqrt(width) + a_edge . e_ij);  x'_i = sum_j alpha_ij x_j W + b + x_i R.
    """

    def __init__(self, dim: int, edge_dim: int, heads: int) -> None:
        super().__init__(dim, edge_dim, heads)
        self.query = nn.Linear(dim, dim, bias=False)
        self.key = nn.Linear(dim, dim, bias=False)
        self.root = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, graph: Graph, edges: Tensor | None) -> Tensor:
        adjacency = graph.plain
        nothing = x.new_zeros(graph.n_nodes)
        queries, keys = self.split(self.query(x) / self.width**0.5), self.split(self.key(x))
        alphas = [
            edge_softmax(adjacency, nothing, nothing, entry_products(adjacency, query, key) + bias, 1.0)
            for query, key, bias in zip(queries, keys, self.biases(adjacency, edges), strict=True)
        ]
        return self.attend(x @ self.lin.weight.t(), alphas, adjacency, graph, edges) + self.root(x)

    def initialise(self, generator: torch.Generator) -> None:
        super().initialise(generator)
        for lin in (self.query, self.key, self.root):
            initialise_square(lin.weight, generator)
