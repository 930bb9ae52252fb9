"""How the outputs of all layers become one embedding, and how two embeddings become a score."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from gnn.layers.base import initialise_square


class Weighted(nn.Module):
    """Sum of the layers' outputs with one learned weight each, a plain mean at first."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((n_outputs,), 1 / n_outputs))

    def forward(self, outputs: list[Tensor]) -> Tensor:
        return torch.einsum("l,lnd->nd", self.weight, torch.stack(outputs))


class LayerAttention(nn.Module):
    """Every node weighs its own outputs: softmax over the layers of q . tanh(x_l W), a plain mean at first."""

    def __init__(self, dim: int, generator: torch.Generator) -> None:
        super().__init__()
        self.lin = nn.Linear(dim, dim, bias=False)
        self.query = nn.Parameter(torch.zeros(dim))
        initialise_square(self.lin.weight, generator)

    def forward(self, outputs: list[Tensor]) -> Tensor:
        stacked = torch.stack(outputs)
        share = torch.softmax(torch.tanh(self.lin(stacked)) @ self.query, dim=0)
        return torch.einsum("ln,lnd->nd", share, stacked)


class Cosine(nn.Module):
    """Embeddings of unit length."""

    def forward(self, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        return functional.normalize(users), functional.normalize(items)


class Bilinear(nn.Module):
    """Score u W v, with W the identity and noise at first: the users' side takes the matrix."""

    def __init__(self, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, width))
        initialise_square(self.weight, generator)

    def forward(self, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        return users @ self.weight, items


class Towers(nn.Module):
    """One multilayer perceptron for users and one for items, x + ReLU(x W + b) V, whose outputs are multiplied.

    A perceptron over both embeddings at once would have to run for every pair of a user and an item; this
    one keeps scoring the whole catalogue a matrix product.
    """

    def __init__(self, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.user, self.item = (nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width, bias=False)) for _ in range(2))
        for tower in (self.user, self.item):
            initialise_square(tower[0].weight, generator)
            nn.init.zeros_(tower[0].bias)
            nn.init.zeros_(tower[2].weight)

    def forward(self, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        return users + self.user(users), items + self.item(items)
