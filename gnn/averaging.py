"""Averages of the weights over training steps, which recommend better than the weights of any one step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of a network's weights (Polyak and Juditsky 1992; Tarvainen and Valpola 2017, arXiv 1703.01780).

    After step t, counted from 0, average = k average + (1 - k) weights with k = min(decay, t / (t + 1)): a plain
    mean until that is as long as the decay's memory, so that the untrained weights never count.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self._weights = {name: weight.detach() for name, weight in network.named_parameters()}
        self.average = {name: weight.clone() for name, weight in self._weights.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step."""
        share = 1 - min(self.decay, self.steps / (self.steps + 1))
        torch._foreach_lerp_(list(self.average.values()), list(self._weights.values()), share)
        self.steps += 1

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The network has the average for its weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, weight in self._weights.items():
            kept = weight.clone()
            weight.copy_(self.average[name])
            self.average[name].copy_(kept)

    def load(self, average: dict[str, Tensor], steps: int) -> None:
        """Go on from another's average."""
        self.steps = steps
        for name, tensor in average.items():
            self.average[name].copy_(tensor)
