"""Message-passing operators by catalogue name."""

from __future__ import annotations

from gnn.catalogue import check_heads
from gnn.errors import SpaceError
from gnn.layers.attention import AttentionLayer, AttentionOperator, DynamicAttentionLayer, TransformerLayer
from gnn.layers.base import Operator
from gnn.layers.block import Block as Block
from gnn.layers.convolution import CollaborativeLayer, ConvolutionLayer, IsomorphismLayer, MaximumLayer, MeanLayer
from gnn.layers.simple import IdentityLayer, LightLayer, ResidualLayer, SimplifiedLayer

ATTENTION: dict[str, type[AttentionOperator]] = {
    "gat": AttentionLayer,
    "gatv2": DynamicAttentionLayer,
    "graph_transformer": TransformerLayer,
}
OPERATORS: dict[str, type[Operator]] = {
    "lightgcn": LightLayer,
    "sgc": SimplifiedLayer,
    "lr_gccf": ResidualLayer,
    "gcn": ConvolutionLayer,
    "ngcf": CollaborativeLayer,
    "sage": MeanLayer,
    "sage_max": MaximumLayer,
    "gin": IsomorphismLayer,
    **ATTENTION,
    "identity": IdentityLayer,
}


def make_operator(name: str, dim: int, edge_dim: int, heads: int = 1) -> Operator:
    """Make one layer that maps node embeddings [nodes, dim] to [nodes, dim].

    Args:
        heads: of an attention operator, side by side; the others have none.

    Raises:
        SpaceError: there is no operator of that name, or ``heads`` does not divide ``dim``.
    """
    if name not in OPERATORS:
        raise SpaceError(f"There is no operator '{name}'; choose from {', '.join(OPERATORS)}.", field="operator")
    if name not in ATTENTION:
        return OPERATORS[name](dim, edge_dim)
    check_heads(heads, dim)
    return ATTENTION[name](dim, edge_dim, heads)
