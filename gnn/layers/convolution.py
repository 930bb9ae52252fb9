"""Operators that weight neighbours by degree: LightGCN, GCN and GraphSAGE with mean aggregation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gnn.graph import Graph
from gnn.layers.base import FixedOperator, initialise_square


class LightLayer(FixedOperator):
    """LightGCN (He et al. 2020, arXiv 2002.02126): x' = D^-1/2 A D^-1/2 x; nothing to learn without edge embeddings."""

    def forward(self, x: Tensor, graph: Graph, edges: Tensor | None) -> Tensor:
        out = self.gather(x, graph.plain, edges)
        return out if edges is None else out + graph.bucket_mass @ (edges @ self.message_weight)


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
