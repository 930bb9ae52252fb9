"""Message-passing operators by catalogue name."""

from __future__ import annotations

from gnn.errors import SpaceError
from gnn.layers.attention import AttentionLayer
from gnn.layers.base import Operator
from gnn.layers.convolution import ConvolutionLayer, LightLayer, MeanLayer

OPERATORS: dict[str, type[Operator]] = {
    "lightgcn": LightLayer,
    "gcn": ConvolutionLayer,
    "sage": MeanLayer,
    "gat": AttentionLayer,
}


def make_operator(name: str, dim: int, edge_dim: int) -> Operator:
    """Make one layer that maps node embeddings [nodes, dim] to [nodes, dim].

    Raises:
        SpaceError: there is no operator of that name.
    """
    if name not in OPERATORS:
        raise SpaceError(f"There is no operator '{name}'; choose from {', '.join(OPERATORS)}.", field="operator")
    return OPERATORS[name](dim, edge_dim)
