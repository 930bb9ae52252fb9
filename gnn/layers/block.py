"""A layer as an architecture decides it: operator, normalisation, activation, skip connection."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from gnn.graph import Graph
from gnn.layers.base import Operator

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "relu": functional.relu,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "silu": functional.silu,
    "tanh": torch.tanh,
}
"""Those with nothing to learn; PReLU has a slope."""


def pair_norm(x: Tensor) -> Tensor:
    """PairNorm (Zhao and Akoglu 2020, arXiv 1909.12223): centre the nodes, then scale them to length 1 on average."""
    centred = x - x.mean(0)
    return centred / (1e-5 + centred.square().sum(1).mean()).sqrt()


NORMALISATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "pair": pair_norm,
    "l2": functional.normalize,
}
"""Those with nothing to learn; layer normalisation has a gain."""


class Block(nn.Module):
    """One layer of a network, [nodes, dim] to [nodes, dim]."""

    def __init__(self, operator: Operator, normalisation: str, activation: str, skip: str) -> None:
        super().__init__()
        self.operator = operator
        self.skip = skip
        self.normalise = nn.LayerNorm(operator.dim) if normalisation == "layer" else NORMALISATIONS[normalisation]
        self.activate = nn.PReLU() if activation == "prelu" else ACTIVATIONS[activation]

    def forward(self, x: Tensor, initial: Tensor, graph: Graph, edges: Tensor | None, hide: Callable[[Tensor], Tensor]) -> Tensor:
        """Pass messages once.

        Args:
            x: output of the layer before, [nodes, dim].
            initial: the node embeddings that the first layer started from, [nodes, dim].
            edges: embeddings of the edge buckets, or None.
            hide: message dropout.
        """
        out = hide(self.activate(self.normalise(self.operator(x, graph, edges))))
        match self.skip:
            case "residual":
                return out + x
            case "initial":
                return out + initial
            case _:
                return out
