"""Architectures as networks: embeddings, message-passing layers, and how the layers are combined."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from gnn.graph import Graph
from gnn.layers import make_operator
from gnn.settings import Settings
from gnn.space import Architecture

INITIAL_SCALE = 0.1
"""Standard deviation of untrained node embedding entries."""

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "relu": functional.relu,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "tanh": torch.tanh,
}


class Recommender(nn.Module):
    """Embeddings of users and items whose dot product is the score.

    Trained with softmax, embeddings have unit length, so scores are cosines. An item bias is one more
    column, opposite ones on the users' side: whatever multiplies embeddings has it for free.
    """

    def __init__(self, settings: Settings, graph: Graph, generator: torch.Generator) -> None:
        super().__init__()
        self.settings = settings
        self.graph = graph
        self.nodes = nn.Parameter(INITIAL_SCALE * torch.randn(graph.n_nodes, settings.node_dim, generator=generator))
        self.edges: nn.Parameter | None = None
        if settings.edge_dim:
            edges = torch.randn(graph.n_buckets, settings.edge_dim, generator=generator)
            self.edges = nn.Parameter(edges / settings.edge_dim**0.5)
        self.item_bias = nn.Parameter(torch.zeros(graph.n_items)) if settings.item_bias else None
        self.layers = nn.ModuleList(
            make_operator(name, settings.node_dim, settings.edge_dim, heads)
            for name, heads in zip(settings.operators, settings.heads, strict=True)
        )
        for layer in self.layers:
            layer.initialise(generator)

    def without_bias(self, embeddings: Tensor) -> Tensor:
        """Embeddings of users or items without the column of the item bias."""
        return embeddings if self.item_bias is None else embeddings[:, :-1]

    @property
    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    def forward(self, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Embeddings of all users [n_users, d'] and all items [n_items, d'].

        Args:
            hidden: dropout mask to multiply the node embeddings with, [nodes, node_dim]; None for no dropout.
        """
        x = self.nodes if hidden is None else self.nodes * hidden
        outputs = [x]
        for layer, activation in zip(self.layers, self.settings.activations, strict=True):
            x = ACTIVATIONS[activation](layer(x, self.graph, self.edges))
            outputs.append(x)
        combined = self._combine(outputs)
        if self.settings.loss == "softmax":
            combined = functional.normalize(combined, dim=1)
        users, items = combined[: self.graph.n_users], combined[self.graph.n_users :]
        if self.item_bias is not None:
            # Softmax divides scores by the temperature; the bias is learned as it is after that.
            scale = self.settings.temperature if self.settings.loss == "softmax" else 1.0
            users = torch.cat([users, users.new_ones(len(users), 1)], dim=1)
            items = torch.cat([items, scale * self.item_bias[:, None]], dim=1)
        return users, items

    def _combine(self, outputs: list[Tensor]) -> Tensor:
        match self.settings.combination:
            case "last":
                return outputs[-1]
            case "concat":
                return torch.cat(outputs, dim=1)
            case "sum":
                return sum(outputs[1:], outputs[0])
            case _:
                return sum(outputs[1:], outputs[0]) / len(outputs)

    def draw_dropout(self, generator: torch.Generator) -> Tensor | None:
        """A dropout mask for one training step, or None if this architecture has no dropout."""
        if self.settings.dropout == 0:
            return None
        kept = 1 - self.settings.dropout
        # Drawn on the CPU whatever the device, so that a seed means the same everywhere.
        mask = torch.rand(self.nodes.shape, generator=generator).lt_(kept).div_(kept)
        return mask.to(self.nodes.device)

    @torch.no_grad()
    def embeddings(self) -> tuple[Tensor, Tensor]:
        """Embeddings to recommend with, without dropout: users [n_users, d'] and items [n_items, d'].

        A user without training interactions was never trained; it gets the mean of the others, which
        ranks items about as all users together would.
        """
        users, items = self(None)
        if self.graph.cold_users:
            warm = self.graph.user_degree > 0
            users = torch.where(warm[:, None], users, users[warm].mean(0))
        return users, items


def build_model(architecture: Architecture, graph: Graph, seed: int) -> Recommender:
    """Build the untrained network of an architecture; the same seed gives the same weights.

    Raises:
        SpaceError: the engine cannot train this architecture.
    """
    return Recommender(Settings.of(architecture), graph, torch.Generator().manual_seed(seed))
