"""Train one network: epochs, early stopping, exact resumption, typed failures."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from gnn.device import pick_device
from gnn.errors import Diverged, OutOfMemory
from gnn.evaluate import EmbeddingScorer, Targets, evaluate_validation
from gnn.graph import Graph
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
        OutOfMemory: the device cannot hold even the smallest step.
        TrainError: the device is not available, or ``resume`` is not a snapshot of this training.
    """
    device = pick_device(config.device)
    try:
        if device.type != "cpu":
            graph = graph.to(device)
            model.graph = graph
            model.to(device)
        run = Trainer(model, graph, valid, config.seed, config.max_epochs)
        if resume is not None:
            run.restore(resume)
        while run.epoch < config.max_epochs and run.stale < config.patience:
            started = time.perf_counter()
            loss = run.train_epoch()
            if not math.isfinite(loss):
                raise Diverged(f"The training loss became {loss} in epoch {run.epoch}.")
            users, items = run.embeddings()
            run.check_embeddings(users, items)
            scores = evaluate_validation(EmbeddingScorer(users, items), graph, valid, config.cutoffs)
            run.note(scores, config.objective, time.perf_counter() - started)
            if on_epoch is not None and on_epoch(EpochReport(run.epoch, loss, scores, run.best_scores, run.seconds, run.snapshot)):
                break
        run.load_best()
        return TrainResult(run.best_epoch, run.epoch, run.best_scores, run.seconds, EmbeddingScorer(*model.embeddings()))
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise OutOfMemory(f"{model.parameter_count:,} parameters on {graph.n_edges:,} interactions do not fit {device}.") from error
        raise
