"""The state of a training run and the steps that change it."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gnn.averaging import WeightAverage
from gnn.errors import Diverged, TrainError
from gnn.evaluate import Targets
from gnn.graph import Graph
from gnn.metrics import ValidationScores
from gnn.model import Draw, Recommender
from gnn.objectives import make_objective
from gnn.snapshot import adam_tensors, pack, prefixed, restore_adam, unpack, without_prefix

COUNTERS = ("epoch", "best_epoch", "stale", "seconds", "best_value", "rows_at_once")
"""Numbers of a run that a snapshot holds."""
COLLAPSED = 1e-8
"""Embeddings whose variance is this small a share of their squared length are one point."""


class Trainer:
    """A run between two epochs: weights, best weights, optimiser, generator, counters."""

    def __init__(self, model: Recommender, graph: Graph, valid: Targets, seed: int, max_epochs: int = 100) -> None:
        self.model = model
        self.graph = graph
        self.valid = valid
        self.settings = model.settings
        self.generator = torch.Generator().manual_seed(seed)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=self.settings.learning_rate, fused=True)
        self.objective = make_objective(model, graph)
        self.rows_at_once = self.objective.rows_at_once
        self.average = WeightAverage(model, self.settings.averaging) if self.settings.averaging else None
        self.max_epochs = max_epochs
        self.epoch = 0
        self.best_epoch = 0
        self.stale = 0
        self.seconds = 0.0
        self.best_value = -np.inf
        self.best_scores: ValidationScores
        self.best_weights: dict[str, Tensor] = {}

    def train_epoch(self) -> float:
        """Pass once over the training data; the mean loss of the steps."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * schedule(self.settings.schedule, self.epoch, self.max_epochs)
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
                held = min(self.rows_at_once, len(block.users))
                if not is_out_of_memory(error) or held == 1:
                    raise
                self.rows_at_once = (held + 1) // 2
                self.generator.set_state(before)
                continue
            if self.settings.clip:
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
            self.optimizer.step()
            if self.average is not None:
                self.average.update()
            return loss.detach()

    def averaged(self) -> AbstractContextManager[None]:
        """While it lasts, the network has the weights to recommend with."""
        return nullcontext() if self.average is None else self.average.in_place()

    def embeddings(self) -> tuple[Tensor, Tensor]:
        """Embeddings of users and items to recommend with at this point of training."""
        with self.averaged():
            users, items = self.model.embeddings()
        return users, items

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
            with self.averaged():
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
        values: dict[str, Any] = {"best_scores": dict(self.best_scores.values)}
        if self.average is not None:
            tensors |= prefixed("average", self.average.average)
            values["averaged_steps"] = self.average.steps
        values["counters"] = {name: getattr(self, name) for name in COUNTERS}
        return pack(tensors, values)

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
        if self.average is not None:
            self.average.load(without_prefix("average", tensors), values["averaged_steps"])
        restore_adam(self.optimizer, without_prefix("adam", tensors))
        self.generator.set_state(tensors["generator"])
        per_user = {name: tensor.numpy() for name, tensor in without_prefix("scores", tensors).items()}
        self.best_scores = ValidationScores(values["best_scores"], per_user, self.valid.users)
        for name, value in values["counters"].items():
            setattr(self, name, value)


def schedule(name: str, epoch: int, max_epochs: int) -> float:
    """What the learning rate is multiplied by in an epoch, counted from 0.

    The cosine (Loshchilov and Hutter 2017, arXiv 1608.03983, without restarts) falls from 1 to nearly 0 in ``max_epochs``.
    """
    return 0.5 * (1 + math.cos(math.pi * epoch / max_epochs)) if name == "cosine" else 1.0


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out; torch's CPU allocator only says so in words."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)
