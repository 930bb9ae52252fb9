"""The engine's recipes for the public splits, each chosen by its validation scores, and how they are trained and judged."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.graphs import joined, read_lists
from gnn.evaluate import EmbeddingScorer, Scorer, Targets, build_targets, evaluate_test
from gnn.graph import Graph, build_graph
from gnn.interactions import Interactions
from gnn.loading import load
from gnn.model import INITIAL_SCALE, Recommender, build_model
from gnn.protocol import Protocol
from gnn.space import Architecture, Choice
from gnn.spectral import spectral_embeddings
from gnn.train import EpochReport, TrainConfig, TrainResult, fit
from gnn.trainer import Trainer

Recipe = dict[str, Choice]

GOWALLA: Recipe = {"node_dim": 64, "layers": 3, "temperature": 0.1, "learning_rate": 0.01}
ML_100K: Recipe = {
    "node_dim": 256,
    "layers": 3,
    "temperature": 0.2,
    "learning_rate": 0.02,
    "dropout": 0.1,
    "edge_dropout": 0.1,
    "l2": 1e-5,
}
SHOWN = ("recall@20", "ndcg@20")
VALIDATION_SHARE = 0.05
"""Of Gowalla's training interactions; the public split has no validation part."""


@dataclass(frozen=True, eq=False)
class Task:
    """A split ready to train on; ``test`` leaves out what was seen."""

    interactions: Interactions
    graph: Graph
    valid: Targets
    test_index: np.ndarray

    def test(self, scorer: Scorer) -> dict[str, float]:
        """Test scores with training and validation items masked."""
        targets = build_targets(self.interactions, self.test_index, self.graph, self.valid)
        return dict(evaluate_test(scorer, self.graph, targets, (20,), also_seen=self.valid).values)


def ml_100k(folder: Path) -> Task:
    loaded = load(folder, Protocol())
    graph = build_graph(loaded.interactions, loaded.split.train)
    return Task(loaded.interactions, graph, build_targets(loaded.interactions, loaded.split.valid, graph), loaded.split.test)


def choose_retrain_test(recipe: Recipe, folder: Path, max_epochs: int) -> dict[str, Any]:
    """Train on Gowalla without a validation part of train, again on all of train for as many epochs as were best, test once."""
    interactions, n_train = joined([read_lists(folder / "train.txt"), read_lists(folder / "test.txt")])
    held_out = np.zeros(n_train, dtype=bool)
    held_out[np.random.default_rng(1).permutation(n_train)[: int(VALIDATION_SHARE * n_train)]] = True
    graph = build_graph(interactions, np.flatnonzero(~held_out))
    valid = build_targets(interactions, np.flatnonzero(held_out), graph)
    whole = build_graph(interactions, np.arange(n_train))
    targets = build_targets(interactions, np.arange(n_train, len(interactions)), whole)
    started = time.perf_counter()
    first = train(recipe, graph, valid, TrainConfig(max_epochs, patience=2), _show, spectral=True)
    model = _model(recipe, whole, 0, spectral=True)
    # The trainer asks for targets but does not look at them unless told to.
    trainer = Trainer(model, whole, targets, 0)
    for _ in range(first.best_epoch):
        trainer.train_epoch()
    seconds = time.perf_counter() - started
    scores = evaluate_test(EmbeddingScorer(*model.embeddings()), whole, targets, (20,)).values
    return {
        "recipe": recipe,
        "seconds": round(seconds, 1),
        "best_epoch": first.best_epoch,
        "validation": {name: round(first.scores.values[name], 4) for name in SHOWN},
        "test": {name: round(scores[name], 4) for name in SHOWN},
    }


def train(
    recipe: Recipe,
    graph: Graph,
    valid: Targets,
    config: TrainConfig,
    on_epoch: Callable[[EpochReport], None] | None = None,
    *,
    spectral: bool = False,
) -> TrainResult:
    """Fit a recipe; ``spectral`` starts from the graph's leading singular vectors instead of noise."""
    return fit(_model(recipe, graph, config.seed, spectral), graph, valid, config, on_epoch)


def _show(epoch: EpochReport) -> None:
    """Print how an epoch went."""
    print(f"epoch {epoch.epoch} {epoch.seconds:.0f} s loss {epoch.loss:.3f} ndcg@20 {epoch.scores.values['ndcg@20']:.4f}", flush=True)


def _model(recipe: Recipe, graph: Graph, seed: int, spectral: bool) -> Recommender:
    model = build_model(Architecture.of(recipe), graph, seed)
    if spectral:
        start = spectral_embeddings(graph, model.settings.node_dim, INITIAL_SCALE, torch.Generator().manual_seed(seed))
        with torch.no_grad():
            model.nodes.copy_(start)
    return model
