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

GOWALLA: Recipe = {
    "node_dim": 64,
    "layers": 3,
    "dropout": 0.0,
    "temperature": 0.1,
    "positives": "apart",
    "sampled_items": 4096,
    "learning_rate": 0.02,
    "schedule": "cosine",
    "averaging": 0.0,
}
GOWALLA_WIDE = GOWALLA | {"node_dim": 128}
GOWALLA_EPOCHS = 8
ML_100K: Recipe = {
    "node_dim": 256,
    "layers": 3,
    "temperature": 0.2,
    "learning_rate": 0.02,
    "dropout": 0.1,
    "edge_dropout": 0.1,
    "l2": 1e-5,
    "averaging": 0.0,
}
SHOWN = ("recall@20", "ndcg@20")
VALIDATION_SHARE = 0.1
"""Of Gowalla's training interactions; the public split has no validation part."""
VALIDATION_USERS = 6000
"""Users whose held-out items are looked for after each epoch; all of them would take half as long as training."""


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
    """Train on Gowalla without a validation part of train, again on all of train for as many epochs as were best, test once.

    Both trainings and the validation between epochs count as time; reading the files and the test do not.
    """
    interactions, n_train = joined([read_lists(folder / "train.txt"), read_lists(folder / "test.txt")])
    generator = np.random.default_rng(1)
    train_index, held_out = np.split(generator.permutation(n_train), [n_train - int(VALIDATION_SHARE * n_train)])
    graph = build_graph(interactions, train_index)
    valid = some_users(build_targets(interactions, held_out, graph), VALIDATION_USERS, generator)
    whole = build_graph(interactions, np.arange(n_train))
    started, started_cpu = time.perf_counter(), time.process_time()
    first = train(recipe, graph, valid, TrainConfig(max_epochs), _show, spectral=True)
    model = _model(recipe, whole, 0, spectral=True)
    # The trainer keeps targets for its snapshots alone.
    trainer = Trainer(model, whole, valid, 0, max_epochs)
    for epoch in range(first.best_epoch):
        loss = trainer.train_epoch()
        print(f"all of train: epoch {epoch + 1} of {first.best_epoch}, {time.perf_counter() - started:.0f} s, loss {loss:.3f}", flush=True)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - started_cpu
    targets = build_targets(interactions, np.arange(n_train, len(interactions)), whole)
    scores = evaluate_test(EmbeddingScorer(*trainer.embeddings()), whole, targets, (20,)).values
    return {
        "recipe": recipe,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
        "best_epoch": first.best_epoch,
        "validation": {name: round(first.scores.values[name], 4) for name in SHOWN},
        "test": {name: round(scores[name], 4) for name in SHOWN},
    }


def some_users(targets: Targets, count: int, generator: np.random.Generator) -> Targets:
    """The targets of ``count`` random users, or of all where there are fewer."""
    place = np.sort(generator.permutation(len(targets.users))[:count])
    items = [targets.items[targets.indptr[row] : targets.indptr[row + 1]] for row in place]
    return Targets(targets.users[place], np.cumsum([0, *map(len, items)]), np.concatenate(items))


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
