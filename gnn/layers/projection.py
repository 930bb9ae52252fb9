"""Features of nodes as embeddings."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Projection(nn.Module):
    """A linear map of features, [n, f], to embeddings, [n, dim], without a bias."""

    def __init__(self, features: Tensor, dim: int, scale: float, generator: torch.Generator) -> None:
        """Draw weights that give embeddings with entries of deviation ``scale``, whatever the features measure."""
        super().__init__()
        length = float(features.double().square().sum(1).mean().sqrt()) or 1.0
        self.weight = nn.Parameter(scale / length * torch.randn(features.shape[1], dim, generator=generator))

    def forward(self, features: Tensor) -> Tensor:
        return features @ self.weight
