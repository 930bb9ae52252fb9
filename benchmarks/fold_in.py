"""Recommending for users that a model was not trained with, beside the embeddings that training would have given them.

A fifth of the users is left out of the graph, and the model is trained without them; then they come with their training items
and are folded in. The same users in a model that was trained with everybody are the peer. How long it takes is measured on
random embeddings of Gowalla's size.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.graphs import ML_100K as ML_100K_SIZE
from benchmarks.graphs import synthetic
from benchmarks.reporting import median_ms, options, report
from gnn.bundle.fold_in import fit_fold_in
from gnn.bundle.recommend import Model, top
from gnn.evaluate import EmbeddingScorer, Targets, build_targets, evaluate_test
from gnn.graph import Graph, build_graph
from gnn.interactions import Interactions
from gnn.loading import load
from gnn.model import build_model
from gnn.protocol import Protocol
from gnn.space import Architecture
from gnn.splits import Split
from gnn.train import TrainConfig, fit

GOWALLA = (29_858, 40_981)
DIM = 64
ITEMS = 30
AIM_MS, AIM_SHARE = 20.0, 0.95
METRIC = "recall@20"
ARCHITECTURES = (
    Architecture.of({}),
    Architecture.of({"node_dim": 64, "layers": 2, "operator.1": "lightgcn", "operator.2": "lightgcn"}),
    Architecture.of({"node_dim": 64, "layers": 2, "operator.1": "gcn", "operator.2": "gcn", "activation.1": "relu"}),
)


def main() -> None:
    chosen = options(__doc__ or "", _options)
    interactions, split = _data(chosen.data)
    pairs = []
    for architecture in ARCHITECTURES[: 1 if chosen.quick else None]:
        for seed in range(1 if chosen.quick else chosen.seeds):
            pairs.append(_recalls(architecture, interactions, split, seed))
            print(f"{str(architecture) or 'default'}: folded in {pairs[-1][0]:.4f}, trained {pairs[-1][1]:.4f}", flush=True)
    folded, trained = np.mean(pairs, axis=0)
    alone, ranked = _milliseconds()
    figures: dict[str, Any] = {
        "recall@20_folded_in": round(float(folded), 4),
        "recall@20_trained": round(float(trained), 4),
        "worst_share": round(min(ours / theirs for ours, theirs in pairs), 3),
        "fold_in_ms": round(alone, 3),
        "fold_in_and_top_20_ms": round(ranked, 2),
    }
    report(
        "fold_in",
        figures=figures,
        peer="the same users trained",
        ratio=float(folded / trained),
        reached=bool(folded >= AIM_SHARE * trained and ranked <= AIM_MS),
    )


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="folder with train.csv, valid.csv and test.csv; synthetic interactions without it")
    parser.add_argument("--seeds", type=int, default=3)


def _data(folder: Path | None) -> tuple[Interactions, Split]:
    if folder is not None:
        loaded = load(folder, Protocol())
        return loaded.interactions, loaded.split
    n_users, n_items, n_train = ML_100K_SIZE
    held_out = n_train // 8
    interactions = synthetic(n_users, n_items, n_train + 2 * held_out)
    return interactions, Split(*np.split(np.arange(len(interactions)), [n_train, n_train + held_out]))


def _recalls(architecture: Architecture, interactions: Interactions, split: Split, seed: int) -> tuple[float, float]:
    """Test recall of the users left out: folded in, and trained."""
    out = np.zeros(interactions.n_users, dtype=bool)
    out[np.random.default_rng(seed).permutation(interactions.n_users)[: interactions.n_users // 5]] = True
    whole, whole_scorer = _train(architecture, interactions, split.train, split.valid, seed)
    train, valid = (rows[~out[interactions.user[rows]]] for rows in (split.train, split.valid))
    graph, scorer = _train(architecture, interactions, train, valid, seed)
    users, items = scorer.users.numpy(), scorer.items.numpy()
    fold_in = fit_fold_in(users, items, graph.seen_indptr.numpy(), graph.seen_items.numpy())
    model = Model({"users": users, "items": items, "fold_in": fold_in}, item_bias=False)
    indptr, seen = whole.seen_indptr.numpy(), whole.seen_items.numpy()
    embedded = users.copy()
    for user in np.flatnonzero(out & (np.diff(indptr) > 0)):
        embedded[user] = model.embed(seen[indptr[user] : indptr[user + 1]])
    also_seen = build_targets(interactions, split.valid, whole)
    targets = build_targets(interactions, split.test[out[interactions.user[split.test]]], whole, also_seen)
    return (
        _recall(EmbeddingScorer(torch.from_numpy(embedded), scorer.items), whole, targets, also_seen),
        _recall(whole_scorer, whole, targets, also_seen),
    )


def _train(
    architecture: Architecture, interactions: Interactions, train: np.ndarray, valid: np.ndarray, seed: int
) -> tuple[Graph, EmbeddingScorer]:
    graph = build_graph(interactions, train)
    result = fit(build_model(architecture, graph, seed), graph, build_targets(interactions, valid, graph), TrainConfig(seed=seed))
    return graph, result.scorer


def _recall(scorer: EmbeddingScorer, graph: Graph, targets: Targets, also_seen: Targets) -> float:
    return evaluate_test(scorer, graph, targets, (20,), also_seen=also_seen).values[METRIC]


def _milliseconds() -> tuple[float, float]:
    """Median time to fold in a user of 30 items, alone and with the best 20 items."""
    generator = np.random.default_rng(0)
    users, items = (generator.normal(size=(n, DIM)).astype(np.float32) for n in GOWALLA)
    model = Model({"users": users, "items": items, "fold_in": generator.normal(size=(DIM + 1, DIM)).astype(np.float32)}, item_bias=False)
    codes = generator.choice(len(items), ITEMS, replace=False)
    return median_ms(lambda: model.embed(codes), repeat=100), median_ms(lambda: top(items @ model.embed(codes), codes, 20), repeat=100)


if __name__ == "__main__":
    main()
