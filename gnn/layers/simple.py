"""Operators with little or nothing to learn: linear propagation and the empty layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gnn.graph import Graph
from gnn.layers.base import FixedOperator, Operator, initialise_square


class LightLayer(FixedOperator):
    """LightGCN (He et al. 2020, arXiv 2002.02126): x' = D^-1/2 A D^-1/2 x; nothing to learn without edge embeddings."""

    def forward(self, x: Tensor, graph: Graph, edges: Tensor | None) -> Tensor:
        out = self.gather(x, graph.plain, edges)
        return out if edges is None else out + graph.bucket_mass @ (edges @ self.message_weight)


class SimplifiedLayer(FixedOperator):
    """SGC (Wu et al. 2019, arXiv 1902.07153): x' = D^-1/2 (A + I) D^-1/2 x, D counting the loops.

    Unlike LightGCN's, a node keeps part of itself, so one layer already mixes users with users' own state.
    The one weight matrix of the paper comes after the last layer; the bilinear scorer has its place here.
    """

    def forward(self, x: Tensor, graph: Graph, edges: Tensor | None) -> Tensor:
        out = self.gather(x, graph.looped, edges)
        return out if edges is None else out + graph.bucket_mass @ (edges @ self.message_weight)


class ResidualLayer(FixedOperator):
    """LR-GCCF's linear layer with a residual (Chen et al. 2020, arXiv 2001.10167): x' = D^-1/2 (A + I) D^-1/2 x W + x.

    The paper adds the scores of all layers, which the concatenation of layers does; here layers add up
    as well, so that the residual survives the other combinations.
    """

    def __init__(self, dim: int, edge_dim: int) -> None:
        super().__init__(dim, edge_dim)
        self.lin = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, graph: Graph, edges: Tensor | None) -> Tensor:
        out = self.gather(self.lin(x), graph.looped, edges) + x
        return out if edges is None else out + graph.bucket_mass @ (edges @ self.message_weight)

    def initialise(self, generator: torch.Generator) -> None:
        super().initialise(generator)
        initialise_square(self.lin.weight, generator)


class IdentityLayer(Operator):
    """Leaves embeddings as they are: with it, a search may find that fewer layers do. Edges have no part."""

    def forward(self, x: Tensor, graph: Graph, edges: Tensor | None) -> Tensor:
        return x
