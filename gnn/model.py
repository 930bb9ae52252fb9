"""Architectures as networks: embeddings, message-passing layers, how layers are combined and scores made."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from gnn.errors import SpaceError
from gnn.graph import Graph
from gnn.layers import Block, make_operator
from gnn.layers.combination import Bilinear, Cosine, LayerAttention, Towers, Weighted
from gnn.layers.projection import Projection
from gnn.settings import Settings
from gnn.space import Architecture

INITIAL_SCALE = 0.1
"""Standard deviation of untrained node embedding entries."""


@dataclass(frozen=True)
class Draw:
    """What chance decides during one training pass."""

    generator: torch.Generator
    noise: float = 0.0
    """Length of the noise added to each layer's output."""

    def disturb(self, x: Tensor) -> Tensor:
        """Add noise of the same length to every row, in the orthant the row is in, as SimGCL does."""
        if self.noise == 0:
            return x
        direction = functional.normalize(torch.rand(x.shape, generator=self.generator))
        return x + self.noise * x.detach().sign() * direction.to(x.device)

    def hide(self, x: Tensor, share: float) -> Tensor:
        """Set a share of the entries to zero and scale up the others, so that the mean stays."""
        if share == 0:
            return x
        # Drawn on the CPU whatever the device, so that a seed means the same everywhere.
        mask = torch.rand(x.shape, generator=self.generator).lt_(1 - share).div_(1 - share)
        return x * mask.to(x.device)


class Recommender(nn.Module):
    """Embeddings of users and items whose dot product is the score, whatever the scorer.

    An item bias is one more column, opposite ones on the users' side: whatever multiplies embeddings has
    it for free.
    """

    def __init__(self, settings: Settings, graph: Graph, generator: torch.Generator) -> None:
        super().__init__()
        self.settings = settings
        self.graph = graph
        dim = settings.node_dim
        features = {"user": graph.user_features, "item": graph.item_features} if settings.inputs != "ids" else {}
        self.projections = nn.ModuleDict()
        """Of the features of users and items, where these are inputs."""
        with_ids = {"user": graph.n_users, "item": graph.n_items}
        for kind, table in features.items():
            if table is not None:
                self.projections[kind] = Projection(table, dim, INITIAL_SCALE, generator)
                if settings.inputs == "features":
                    del with_ids[kind]
        if settings.inputs != "ids" and not self.projections:
            raise SpaceError(
                f"'inputs' is '{settings.inputs}', but the dataset has no attributes of users or items; choose 'ids'.", field="inputs"
            )
        self.nodes = nn.Parameter(INITIAL_SCALE * torch.randn(sum(with_ids.values()), dim, generator=generator))
        """Id embeddings, users first; without the users or items that their features alone describe."""
        self.edges: nn.Parameter | None = None
        if settings.edge_dim:
            edges = torch.randn(graph.n_buckets, settings.edge_dim, generator=generator)
            self.edges = nn.Parameter(edges / settings.edge_dim**0.5)
        self.item_bias = nn.Parameter(torch.zeros(graph.n_items)) if settings.item_bias else None
        self.layers = nn.ModuleList()
        for layer in settings.layers:
            operator = make_operator(layer.operator, dim, settings.edge_dim, layer.heads)
            operator.initialise(generator)
            self.layers.append(Block(operator, layer.normalisation, layer.activation, layer.skip))
        n_outputs = len(settings.layers) + 1
        self.combination: nn.Module | None = None
        if settings.combination == "weighted":
            self.combination = Weighted(n_outputs)
        elif settings.combination == "attention":
            self.combination = LayerAttention(dim, generator)
        width = dim * n_outputs if settings.combination == "concat" else dim
        self.scorer: nn.Module | None = None
        if settings.scorer == "cosine":
            self.scorer = Cosine()
        elif settings.scorer == "bilinear":
            self.scorer = Bilinear(width, generator)
        elif settings.scorer == "mlp":
            self.scorer = Towers(width, generator)

    def inputs(self) -> Tensor:
        """What the first layer starts from, [nodes, node_dim]: id embeddings, projected features, or their sum."""
        if not self.projections:
            return self.nodes
        graph, used, sides = self.graph, 0, []
        for kind, n, features in (("user", graph.n_users, graph.user_features), ("item", graph.n_items, graph.item_features)):
            projected = self.projections[kind](features) if kind in self.projections else None
            if projected is None or self.settings.inputs == "both":
                ids = self.nodes[used : used + n]
                used += n
                projected = ids if projected is None else ids + projected
            sides.append(projected)
        return torch.cat(sides)

    def without_bias(self, embeddings: Tensor) -> Tensor:
        """Embeddings of users or items without the column of the item bias."""
        return embeddings if self.item_bias is None else embeddings[:, :-1]

    @property
    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    def forward(self, draw: Draw | None = None) -> tuple[Tensor, Tensor]:
        """Embeddings of all users [n_users, d'] and all items [n_items, d'].

        Args:
            draw: the chance of a training step; None to leave out all dropout.
        """
        return self.embed(self.propagate(draw))

    def propagate(self, draw: Draw | None, graph: Graph | None = None) -> list[Tensor]:
        """The node embeddings and the outputs of all layers, each [nodes, node_dim].

        Args:
            draw: the chance of a training step, or None.
            graph: another graph of the same nodes; edge dropout is then left out.
        """
        settings, x = self.settings, self.inputs()
        hidden = 0.0
        if draw is not None:
            x = draw.hide(x, settings.dropout)
            hidden = settings.message_dropout
            if settings.edge_dropout and graph is None:
                graph = self.graph.without_edges(settings.edge_dropout, draw.generator)
        graph = graph or self.graph
        outputs = [x]
        for layer in self.layers:
            x = layer(x, outputs[0], graph, self.edges, lambda y: y if draw is None else draw.disturb(draw.hide(y, hidden)))
            outputs.append(x)
        return outputs

    def embed(self, outputs: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Users and items to be multiplied, from the outputs of all layers."""
        combined = self.combine(outputs)
        # Two slices would each have a gradient as large as the whole.
        users, items = combined.split([self.graph.n_users, self.graph.n_items])
        if self.scorer is not None:
            users, items = self.scorer(users, items)
        if self.item_bias is not None:
            # The objective divides scores by the temperature; the bias is learned as it is after that.
            users = torch.cat([users, users.new_ones(len(users), 1)], dim=1)
            items = torch.cat([items, self.settings.temperature * self.item_bias[:, None]], dim=1)
        return users, items

    def combine(self, outputs: list[Tensor]) -> Tensor:
        """One embedding per node, [nodes, d'], before the scorer."""
        if self.combination is not None:
            combined: Tensor = self.combination(outputs)
            return combined
        match self.settings.combination:
            case "last":
                return outputs[-1]
            case "concat":
                return torch.cat(outputs, dim=1)
            case "sum":
                return sum(outputs[1:], outputs[0])
            case _:
                return sum(outputs[1:], outputs[0]) / len(outputs)

    @torch.no_grad()
    def embeddings(self) -> tuple[Tensor, Tensor]:
        """Embeddings to recommend with, without dropout: users [n_users, d'] and items [n_items, d'].

        A user without training interactions was never trained; it gets the mean of the others, which
        ranks items about as all users together would. Features tell more of it, where they are inputs.
        """
        users, items = self(None)
        if self.graph.cold_users and "user" not in self.projections:
            warm = self.graph.user_degree > 0
            users = torch.where(warm[:, None], users, users[warm].mean(0))
        return users, items


def build_model(architecture: Architecture, graph: Graph, seed: int) -> Recommender:
    """Build the untrained network of an architecture; the same seed gives the same weights.

    Raises:
        SpaceError: the engine cannot train this architecture, or its inputs are features that the graph does not have.
    """
    return Recommender(Settings.of(architecture), graph, torch.Generator().manual_seed(seed))
