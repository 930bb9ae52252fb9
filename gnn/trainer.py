"""The state of a training run and the steps that change it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from gnn.errors import Diverged, TrainError
from gnn.evaluate import Targets
from gnn.graph import Graph
from gnn.losses import bpr, catalogue_softmax
from gnn.metrics import ValidationScores
from gnn.model import Draw, Recommender
from gnn.sampling import NegativeSampler, PairBlock, UserBlock, pair_blocks, user_blocks
from gnn.snapshot import adam_tensors, pack, prefixed, restore_adam, unpack, without_prefix

MIN_STEPS = 8
"""Steps of an epoch that a small dataset gets at least, where its users allow."""
USERS_PER_STEP = (16, 512)
"""Fewest and most users in a softmax step: fewer are too noisy, more update too seldom."""
PAIRS_PER_STEP = (256, 8192)
"""Fewest and most interactions in a BPR step."""
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
        self.sampler = NegativeSampler(graph) if self.settings.loss == "bpr" else None
        self.users_per_step = _step_size(graph.n_users, MIN_STEPS, USERS_PER_STEP)
        self.pairs_per_step = _step_size(graph.n_edges, 2 * MIN_STEPS, PAIRS_PER_STEP)
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
        losses: list[Tensor] = []
        if self.sampler is None:
            for users in user_blocks(self.graph, self.users_per_step, self.generator):
                losses.append(self._step(partial(self._softmax_loss, users)))
        else:
            for pairs in pair_blocks(self.graph, self.sampler, self.pairs_per_step, self.generator):
                losses.append(self._step(partial(self._bpr_loss, pairs)))
        return float(torch.stack(losses).mean())

    def _step(self, loss_of: Callable[[Draw], Tensor]) -> Tensor:
        before = self.generator.get_state()
        while True:
            self.optimizer.zero_grad()
            try:
                loss = loss_of(Draw(self.generator))
                loss.backward()
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error) or self.rows_at_once == 1:
                    raise
                self.rows_at_once = (self.rows_at_once + 1) // 2
                self.generator.set_state(before)
                continue
            self.optimizer.step()
            return loss.detach()

    def _softmax_loss(self, block: UserBlock, draw: Draw) -> Tensor:
        users, items = self.model(draw)
        # Half precision only pays on a GPU, and only the scores are large enough to want it.
        with torch.autocast("cuda", torch.bfloat16, enabled=users.is_cuda):
            loss = catalogue_softmax(users[block.users], items, block, self.settings.temperature, self.rows_at_once)
        if self.settings.l2:
            nodes = self.model.nodes
            norm = nodes[block.users].square().sum() + nodes[self.graph.n_users :].square().sum()
            loss = loss + 0.5 * self.settings.l2 * norm / len(block.users)
        return loss

    def _bpr_loss(self, block: PairBlock, draw: Draw) -> Tensor:
        users, items = self.model(draw)
        chosen = users[block.users]
        loss = bpr((chosen * items[block.positives]).sum(1), (chosen * items[block.negatives]).sum(1))
        if self.settings.l2:
            nodes, first = self.model.nodes, self.graph.n_users
            used = torch.cat([block.users, first + block.positives, first + block.negatives])
            loss = loss + 0.5 * self.settings.l2 * nodes[used].square().sum() / len(block.users)
        return loss

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


def _step_size(total: int, steps: int, limits: tuple[int, int]) -> int:
    return min(max(total // steps, limits[0]), limits[1])


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out; torch's CPU allocator only says so in words."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)
