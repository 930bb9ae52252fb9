"""The state of a training run and the steps that change it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from gnn.errors import Diverged, TrainError
from gnn.evaluate import Targets
from gnn.graph import Graph
from gnn.metrics import ValidationScores
from gnn.model import Draw, Recommender
from gnn.objectives import make_objective
from gnn.snapshot import adam_tensors, pack, prefixed, restore_adam, unpack, without_prefix

SCORES_AT_ONCE = 2**23
"""Scores of a softmax step held in memory at a time (32 MiB)."""
COLLAPSED = 1e-8
"""Embeddings whose variance is this small a share of their squared length are one point."""


class Trainer:
    """A run between two epochs: weights, best weights, optimiser, generator, counters."""

    def __init__(self, model: Recommender, graph: Graph, valid: Targets, seed: int) -> None:
        self.model = model
        self.graph = graph
        self.valid = valid
        self.settings = model.settings
        self.generator = torch.Generator().manual_seed(seed)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=self.settings.learning_rate, fused=True)
        self.objective = make_objective(model, graph)
        self.rows_at_once = max(1, SCORES_AT_ONCE // graph.n_items)
        self.epoch = 0
        self.best_epoch = 0
        self.stale = 0
        self.seconds = 0.0
        self.best_value = -np.inf
        self.best_scores: ValidationScores
        self.best_weights: dict[str, Tensor] = {}

    def train_epoch(self) -> float:
        """Pass once over the training data; the mean loss of the steps."""
        self.epoch += 1
        losses = [self._step(block) for block in self.objective.blocks(self.generator)]
        return float(torch.stack(losses).mean())

    def _step(self, block: Any) -> Tensor:
        before = self.generator.get_state()
        while True:
            self.optimizer.zero_grad()
            try:
                loss = self.objective.loss(block, Draw(self.generator), self.rows_at_once)
                loss.backward()
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error) or self.rows_at_once == 1:
                    raise
                self.rows_at_once = (self.rows_at_once + 1) // 2
                self.generator.set_state(before)
                continue
            self.optimizer.step()
            return loss.detach()

    def check_embeddings(self, users: Tensor, items: Tensor) -> None:
        """Raise Diverged if embeddings are not finite or all the same."""
        for name, with_bias in (("user", users), ("item", items)):
            embeddings = self.model.without_bias(with_bias)
            length = embeddings.square().sum(1).mean()
            if not torch.isfinite(length):
                raise Diverged(f"The {name} embeddings stopped being finite in epoch {self.epoch}.")
            if embeddings.var(0, correction=0).sum() <= COLLAPSED * length:
                raise Diverged(f"All {name} embeddings collapsed to one point by epoch {self.epoch}.")

    def note(self, scores: ValidationScores, objective: str, seconds: float) -> None:
        """Remember the scores of the epoch just trained, and the weights if they are the best so far."""
        self.seconds += seconds
        if scores.values[objective] > self.best_value:
            self.best_value, self.best_epoch, self.best_scores, self.stale = scores.values[objective], self.epoch, scores, 0
            self.best_weights = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        else:
            self.stale += 1

    def load_best(self) -> None:
        self.model.load_state_dict(self.best_weights)

    def snapshot(self) -> bytes:
        """Everything needed to go on exactly, as bytes."""
        tensors = {
            **prefixed("weights", self.model.state_dict()),
            **prefixed("best", self.best_weights),
            **prefixed("adam", adam_tensors(self.optimizer)),
            **prefixed("scores", {name: torch.from_numpy(values) for name, values in self.best_scores.per_user.items()}),
            "generator": self.generator.get_state(),
        }
        counters = {name: getattr(self, name) for name in ("epoch", "best_epoch", "stale", "seconds", "best_value", "rows_at_once")}
        return pack(tensors, {"counters": counters, "best_scores": dict(self.best_scores.values)})

    def restore(self, document: bytes) -> None:
        """Take over the state of a snapshot.

        Raises:
            TrainError: it is not a snapshot, or belongs to another network or dataset.
        """
        tensors, values = unpack(document)
        try:
            self.model.load_state_dict(without_prefix("weights", tensors))
        except RuntimeError as error:
            raise TrainError(f"The training snapshot belongs to another network or dataset: {error}") from error
        self.best_weights = without_prefix("best", tensors)
        restore_adam(self.optimizer, without_prefix("adam", tensors))
        self.generator.set_state(tensors["generator"])
        per_user = {name: tensor.numpy() for name, tensor in without_prefix("scores", tensors).items()}
        self.best_scores = ValidationScores(values["best_scores"], per_user, self.valid.users)
        for name, value in values["counters"].items():
            setattr(self, name, value)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out; torch's CPU allocator only says so in words."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)
