"""What a worker does for a trial, a finalist and a baseline: train, then score."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gnn.baselines import fit_baseline
from gnn.evaluate import Scorer, evaluate_test, evaluate_validation
from gnn.found import found_items
from gnn.graph import Graph
from gnn.metrics import TestScores, ValidationScores
from gnn.model import build_model
from gnn.predictions import prediction_metrics
from gnn.protocol import Protocol
from gnn.slices import METRICS, Slices, by_activity, by_popularity, standard_errors
from gnn.space import Architecture
from gnn.train import EpochReport, TrainConfig, fit
from searchworker.prepared import PreparedData, TrainingData


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained architecture with its validation scores at the best epoch."""

    scorer: Scorer
    scores: ValidationScores
    nodes: Tensor
    """Node embeddings before propagation, [n_nodes, d]."""
    parameters: int
    epochs: int
    best_epoch: int
    seconds: float


def train_architecture(
    architecture: Architecture,
    data: TrainingData,
    protocol: Protocol,
    *,
    seed: int,
    device: str,
    on_epoch: Callable[[EpochReport], bool | None],
    checkpoint: bytes | None = None,
    nodes: Tensor | None = None,
) -> Trained:
    """Train until validation stops improving, the epochs are spent or ``on_epoch`` returns True, and keep the best weights.

    ``nodes`` are embeddings [n_nodes, d] to start from instead of noise, where their size fits.

    Raises:
        OutOfMemory, Diverged: as typed failures of this architecture.
    """
    model = build_model(architecture, data.graph, seed)
    if nodes is not None and nodes.shape == model.nodes.shape:
        with torch.no_grad():
            model.nodes.copy_(nodes)
    config = TrainConfig(
        max_epochs=protocol.max_epochs,
        patience=protocol.patience,
        objective=protocol.objective,
        cutoffs=protocol.cutoffs,
        seed=seed,
        device=device,
    )
    result = fit(model, data.graph, data.valid, config, on_epoch, resume=checkpoint)
    return Trained(
        scorer=result.scorer,
        scores=result.scores,
        nodes=model.nodes.detach(),
        parameters=model.parameter_count,
        epochs=result.epochs,
        best_epoch=result.best_epoch,
        seconds=result.seconds,
    )


def score_on_test(scorer: Scorer, data: PreparedData, protocol: Protocol) -> TestScores:
    """The final numbers of a finalist or baseline: rankings of the full catalogue, and predictions where the data tells outcomes."""
    graph = data.training.graph
    ranked = evaluate_test(scorer, graph, data.test, protocol.cutoffs, also_seen=data.training.valid)
    predicted = prediction_metrics(scorer, graph.n_items, data.valid_rows, data.test_rows)
    return replace(ranked, values={**ranked.values, **predicted})


def sliced(scores: ValidationScores | TestScores, graph: Graph, protocol: Protocol) -> Slices:
    """How sure the means are, and the main metrics by the activity of users."""
    metrics = [f"{name}@{protocol.k}" for name in dict.fromkeys((protocol.metric, *METRICS))]
    activity = by_activity(scores.per_user, metrics, scores.users, graph.user_degree.cpu().numpy())
    return Slices(standard_errors(scores.per_user), activity)


def sliced_on_test(scorer: Scorer, test: TestScores, data: PreparedData, protocol: Protocol) -> Slices:
    """That of the test scores, and the recall by the popularity of items, for which the catalogue is ranked once more."""
    graph, targets = data.training.graph, data.test
    found = found_items(scorer, graph, targets, protocol.k, also_seen=data.training.valid)
    owner = np.repeat(targets.users, np.diff(targets.indptr))
    popularity = by_popularity(found, f"recall@{protocol.k}", owner, targets.items, graph.item_degree.cpu().numpy())
    return replace(sliced(test, graph, protocol), popularity=popularity)


@dataclass(frozen=True, eq=False)
class FittedBaseline:
    valid: ValidationScores
    test: TestScores
    valid_slices: Slices
    test_slices: Slices
    seconds: float


def run_reference(name: str, data: PreparedData, protocol: Protocol) -> FittedBaseline:
    """Fit a baseline on the training part and score it as trials and finalists are scored."""
    started = time.perf_counter()
    scorer = fit_baseline(name, data.training.graph, data.training.valid)
    seconds = time.perf_counter() - started
    valid = evaluate_validation(scorer, data.training.graph, data.training.valid, protocol.cutoffs)
    test = score_on_test(scorer, data, protocol)
    return FittedBaseline(
        valid=valid,
        test=test,
        valid_slices=sliced(valid, data.training.graph, protocol),
        test_slices=sliced_on_test(scorer, test, data, protocol),
        seconds=seconds,
    )
