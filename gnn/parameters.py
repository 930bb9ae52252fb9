"""How many numbers a network learns, counted without building it."""

from __future__ import annotations

from collections.abc import Callable

from gnn.catalogue.choices import ATTENTION_OPERATORS, PROPAGATING_OPERATORS
from gnn.settings import LayerSettings, Settings

OPERATOR_PARAMETERS: dict[str, Callable[[int], int]] = {
    "lightgcn": lambda d: 0,
    "sgc": lambda d: 0,
    "lr_gccf": lambda d: d * d,
    "gcn": lambda d: d * d + d,
    "ngcf": lambda d: 2 * d * d + d,
    "sage": lambda d: 2 * d * d + d,
    "sage_max": lambda d: 2 * d * d + d,
    "gin": lambda d: 2 * (d * d + d) + 1,
    # Attention vectors are as long over all heads as one head's would be.
    "gat": lambda d: d * d + 3 * d,
    "gatv2": lambda d: 2 * d * d + 2 * d,
    "graph_transformer": lambda d: 4 * d * d + d,
    "identity": lambda d: 0,
}
"""Of an operator from and to embeddings of size d, without the part that edges take."""


def parameter_count(settings: Settings, n_users: int, n_items: int, n_buckets: int, *, user_width: int = 0, item_width: int = 0) -> int:
    """What ``Recommender.parameter_count`` of the same settings is on a graph of these sizes.

    Args:
        n_buckets: kinds of edges, see :class:`gnn.graph.Graph`; counts where edges have embeddings.
        user_width, item_width: features of each; 0 without.
    """
    d, n_outputs = settings.node_dim, len(settings.layers) + 1
    count = n_buckets * settings.edge_dim
    for n, features in ((n_users, user_width), (n_items, item_width)):
        projected = features if settings.inputs != "ids" else 0
        count += projected * d + (n * d if settings.inputs != "features" or not projected else 0)
    count += sum(_of_layer(layer, d, settings.edge_dim) for layer in settings.layers)
    if settings.item_bias:
        count += n_items
    if settings.combination == "weighted":
        count += n_outputs
    elif settings.combination == "attention":
        count += d * d + d
    width = d * n_outputs if settings.combination == "concat" else d
    if settings.scorer == "bilinear":
        count += width * width
    elif settings.scorer == "mlp":
        count += 2 * (2 * width * width + width)
    return count


def _of_layer(layer: LayerSettings, d: int, edge_dim: int) -> int:
    count = OPERATOR_PARAMETERS[layer.operator](d)
    if layer.operator in PROPAGATING_OPERATORS:
        # A message of size d, and what gates an edge or adds to each head's attention.
        count += edge_dim * (d + (layer.heads if layer.operator in ATTENTION_OPERATORS else 1))
    if layer.normalisation == "layer":
        count += 2 * d
    return count + (layer.activation == "prelu")
