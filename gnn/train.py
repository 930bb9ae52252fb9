"""Train one network: epochs, early stopping, exact resumption, typed failures."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from gnn.device import available_memory, pick_device
from gnn.errors import Diverged, OutOfMemory
from gnn.evaluate import NO_TARGETS, EmbeddingScorer, Targets, evaluate_validation
from gnn.graph import Graph
from gnn.memory import MIB, estimate_bytes
from gnn.metrics import ValidationScores
from gnn.model import Recommender
from gnn.protocol import METRIC_NAMES
from gnn.trainer import Trainer, is_out_of_memory


@dataclass(frozen=True)
class TrainConfig:
    """How to train, apart from what the architecture decides itself."""

    max_epochs: int = 100
    patience: int = 8
    """Validations without improvement of the objective after which training stops."""
    objective: str = "ndcg@20"
    cutoffs: tuple[int, ...] = (10, 20)
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.max_epochs < 1 or self.patience < 1:
            raise ValueError(f"max_epochs and patience must be at least 1, but are {self.max_epochs} and {self.patience}.")
        measured = [f"{name}@{k}" for name in METRIC_NAMES for k in self.cutoffs]
        if self.objective not in measured:
            raise ValueError(f"The objective '{self.objective}' is not measured; the cutoffs give {', '.join(measured)}.")


@dataclass(frozen=True, eq=False)
class EpochReport:
    """What one epoch brought."""

    epoch: int
    """Counted from 1, across resumptions."""
    loss: float
    """Mean training loss of the epoch's steps."""
    scores: ValidationScores
    best: ValidationScores
    """Of the best epoch so far, which may be this one."""
    seconds: float
    """Training time so far, validation included, across resumptions."""
    snapshot: Callable[[], bytes]
    """Everything needed to go on after this epoch exactly; only valid during the callback."""


@dataclass(frozen=True, eq=False)
class TrainResult:
    """A trained network, back at its best weights."""

    best_epoch: int
    epochs: int
    scores: ValidationScores
    """Of the best epoch."""
    seconds: float
    scorer: EmbeddingScorer


def fit(
    model: Recommender,
    graph: Graph,
    valid: Targets,
    config: TrainConfig,
    on_epoch: Callable[[EpochReport], bool | None] | None = None,
    resume: bytes | None = None,
) -> TrainResult:
    """Train ``model`` until the objective stops improving or the epochs run out.

    ``on_epoch`` ends the training by returning True; it may also raise, and its exception passes through
    unchanged. A run resumed from a snapshot ends bit for bit where the undisturbed run ends, on the same
    machine and number of threads.

    Raises:
        Diverged: the loss or the embeddings are not finite, or embeddings collapsed to one point.
        OutOfMemory: training is estimated to need more memory than the device has available, or it runs out of it
            even with the smallest step.
        TrainError: the device is not available, or ``resume`` is not a snapshot of this training.
    """
    device = pick_device(config.device)
    with _memory_errors(model, graph, device):
        graph = _moved(model, graph, device)
        run = Trainer(model, graph, valid, config.seed, config.max_epochs)
        if resume is not None:
            run.restore(resume)
        while run.epoch < config.max_epochs and run.stale < config.patience:
            started = time.perf_counter()
            loss, users, items = _epoch(run)
            scores = evaluate_validation(EmbeddingScorer(users, items), graph, valid, config.cutoffs)
            run.note(scores, config.objective, time.perf_counter() - started)
            if on_epoch is not None and on_epoch(EpochReport(run.epoch, loss, scores, run.best_scores, run.seconds, run.snapshot)):
                break
        run.load_best()
        return TrainResult(run.best_epoch, run.epoch, run.best_scores, run.seconds, EmbeddingScorer(*model.embeddings()))


def refit(model: Recommender, graph: Graph, config: TrainConfig, epochs: int, on_epoch: Callable[[int], None]) -> EmbeddingScorer:
    """Train ``model`` for as many epochs as validation chose before, on a graph that has all interactions, and keep the last weights.

    The learning rate falls as it did in the training that chose: over ``config.max_epochs``. ``on_epoch`` is called with the
    number of each epoch, from 1; it may raise, and its exception passes through unchanged.

    Raises:
        Diverged, OutOfMemory, TrainError: as :func:`fit` does.
    """
    device = pick_device(config.device)
    with _memory_errors(model, graph, device):
        graph = _moved(model, graph, device)
        run = Trainer(model, graph, NO_TARGETS, config.seed, config.max_epochs)
        for epoch in range(1, epochs + 1):
            _, users, items = _epoch(run)
            on_epoch(epoch)
        return EmbeddingScorer(users, items)


def _epoch(run: Trainer) -> tuple[float, Tensor, Tensor]:
    """Train one epoch; its loss, and the embeddings of users and items after it."""
    loss = run.train_epoch()
    if not math.isfinite(loss):
        raise Diverged(f"The training loss became {loss} in epoch {run.epoch}.")
    users, items = run.embeddings()
    run.check_embeddings(users, items)
    return loss, users, items


def _moved(model: Recommender, graph: Graph, device: torch.device) -> Graph:
    """The graph on the device, where the model is then too, if training fits its memory."""
    if device.type != "cpu":
        graph = graph.to(device)
        model.graph = graph
        model.to(device)
    _check_memory(model, graph, device)
    return graph


@contextmanager
def _memory_errors(model: Recommender, graph: Graph, device: torch.device) -> Iterator[None]:
    """Whatever says that memory ran out says so as OutOfMemory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise OutOfMemory(f"{model.parameter_count:,} parameters on {graph.n_edges:,} interactions do not fit {device}.") from error
        raise


def _check_memory(model: Recommender, graph: Graph, device: torch.device) -> None:
    """Raise OutOfMemory before the system would end the process for want of memory."""
    widths = {
        f"{kind}_width": 0 if table is None else table.shape[1]
        for kind, table in (("user", graph.user_features), ("item", graph.item_features))
    }
    needed = estimate_bytes(model.settings, graph.n_users, graph.n_items, graph.n_edges, n_buckets=graph.n_buckets, **widths)
    available = available_memory(device)
    if needed > available:
        raise OutOfMemory(
            f"Training needs about {math.ceil(needed / MIB):,} MiB of memory, but {device} has {available // MIB:,} MiB available. "
            "Choose a smaller node_dim, fewer layers or another operator; run fewer workers on this machine, or one with more memory."
        )
