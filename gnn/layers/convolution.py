"""Operators that transform what they gather: GCN, GraphSAGE, GIN and NGCF."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gnn.adjacency import Adjacency
from gnn.graph import Graph
from gnn.layers.base import FixedOperator, initialise_square
from gnn.spmm import maximum


class ConvolutionLayer(FixedOperator):
    """GCN (Kipf and Welling 2017, arXiv 1609.02907): x' = D^-1/2 (A + I) D^-1/2 x W + b, D counting the loops."""

    def __init__(self, dim: int, edge_dim: int) -> None:
        super().__init__(dim, edge_dim)
        self.lin = nn.Linear(dim, dim)

    def forward(self, x: Tensor, graph: Graph, edges: Tensor | None) -> Tensor:
        out = self.gather(x @ self.lin.weight.t(), graph.looped, edges) + self.lin.bias
        return out if edges is None else out + graph.bucket_mass @ (edges @ self.message_weight)

    def initialise(self, generator: torch.Generator) -> None:
        super().initialise(generator)
        initialise_square(self.lin.weight, generator)
        nn.init.zeros_(self.lin.bias)


class MeanLayer(FixedOperator):
    """GraphSAGE with mean aggregation (Hamilton et al. 2017, arXiv 1706.02216): x' = mean_j x_j W + b + x R."""

    def __init__(self, dim: int, edge_dim: int) -> None:
        super().__init__(dim, edge_dim)
        self.lin = nn.Linear(dim, dim)
        self.root = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, graph: Graph, edges: Tensor | None) -> Tensor:
        # D^-1 A = D^-1/2 (D^-1/2 A D^-1/2) D^1/2: the mean through the symmetric matrix, whose backward is itself.
        scale = graph.plain.degree.clamp(min=1).sqrt()[:, None]
        mean = self.gather(x * scale, graph.plain, edges) / scale
        if edges is not None:
            mean = mean + graph.bucket_share @ (edges @ self.message_weight)
        return self.lin(mean) + self.root(x)

    def initialise(self, generator: torch.Generator) -> None:
        super().initialise(generator)
        initialise_square(self.lin.weight, generator)
        initialise_square(self.root.weight, generator)
        nn.init.zeros_(self.lin.bias)


class MaximumLayer(FixedOperator):
    """GraphSAGE with maximum aggregation: x' = max_j x_j W + b + x R, the maximum in each column by itself."""

    def __init__(self, dim: int, edge_dim: int) -> None:
        super().__init__(dim, edge_dim)
        self.lin = nn.Linear(dim, dim)
        self.root = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, graph: Graph, edges: Tensor | None) -> Tensor:
        ones = torch.ones_like(graph.plain.values)
        values = ones if edges is None else self.gated(ones, graph.plain, edges)
        highest = self.propagate(graph.plain.matrix, x=x, values=values, adjacency=graph.plain)
        if edges is not None:
            highest = highest + graph.bucket_share @ (edges @ self.message_weight)
        return self.lin(highest) + self.root(x)

    def message_and_aggregate(self, adj_t: Tensor, x: Tensor, values: Tensor, adjacency: Adjacency) -> Tensor:
        return maximum(adjacency, values, x)

    def initialise(self, generator: torch.Generator) -> None:
        super().initialise(generator)
        initialise_square(self.lin.weight, generator)
        initialise_square(self.root.weight, generator)
        nn.init.zeros_(self.lin.bias)


class IsomorphismLayer(FixedOperator):
    """GIN (Xu et al. 2019, arXiv 1810.00826): x' = ReLU(((1 + eps) x_i + sum_j x_j) W + b) V + c, eps learned.

    Sums grow with a node's degree; a normalisation after the layer keeps popular items in proportion.
    """

    def __init__(self, dim: int, edge_dim: int) -> None:
        super().__init__(dim, edge_dim)
        self.eps = nn.Parameter(torch.zeros(1))
        self.first = nn.Linear(dim, dim)
        self.second = nn.Linear(dim, dim)

    def forward(self, x: Tensor, graph: Graph, edges: Tensor | None) -> Tensor:
        # A = D^1/2 (D^-1/2 A D^-1/2) D^1/2: the sum through the symmetric matrix, whose backward is itself.
        scale = graph.plain.degree.clamp(min=1).sqrt()[:, None]
        total = self.gather(x * scale, graph.plain, edges) * scale
        if edges is not None:
            total = total + graph.plain.degree[:, None] * (graph.bucket_share @ (edges @ self.message_weight))
        return self.second(torch.relu(self.first((1 + self.eps) * x + total)))

    def initialise(self, generator: torch.Generator) -> None:
        super().initialise(generator)
        nn.init.zeros_(self.eps)
        for lin in (self.first, self.second):
            initialise_square(lin.weight, generator)
            nn.init.zeros_(lin.bias)


class CollaborativeLayer(FixedOperator):
    """NGCF (Wang et al. 2019, arXiv 1905.08108): x' = (x + L x) W + b + (L x * x) V, with L = D^-1/2 A D^-1/2.

    The product with the node's own embedding passes more from neighbours that are alike. The paper's
    LeakyReLU is the layer's activation, and its dropout the message dropout.
    """

    def __init__(self, dim: int, edge_dim: int) -> None:
        super().__init__(dim, edge_dim)
        self.lin = nn.Linear(dim, dim)
        self.product = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, graph: Graph, edges: Tensor | None) -> Tensor:
        gathered = self.gather(x, graph.plain, edges)
        if edges is not None:
            gathered = gathered + graph.bucket_mass @ (edges @ self.message_weight)
        return self.lin(x + gathered) + self.product(gathered * x)

    def initialise(self, generator: torch.Generator) -> None:
        super().initialise(generator)
        initialise_square(self.lin.weight, generator)
        initialise_square(self.product.weight, generator)
        nn.init.zeros_(self.lin.bias)
