"""The engine's best recipes, chosen by validation scores and tested once: MovieLens-100K over several seeds, and Gowalla.

Both stand beside EASE on MovieLens-100K's same files and the published figures of LightGCN on Gowalla. Without data, the
default recipe runs on synthetic interactions, where it has to rank as well as EASE.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.graphs import ML_100K as ML_100K_SIZE
from benchmarks.graphs import synthetic
from benchmarks.recipes import GOWALLA_EPOCHS, GOWALLA_WIDE, ML_100K, SHOWN, Recipe, Task, choose_retrain_test, ml_100k, train
from benchmarks.reporting import options, report
from gnn.baselines import fit_baseline
from gnn.evaluate import build_targets
from gnn.graph import build_graph
from gnn.heap import keep_freed_memory
from gnn.train import TrainConfig

HELD_OUT = 9_596
AIM = {"recall@20": 0.4150, "ndcg@20": 0.3550}
AIM_GOWALLA = {"recall@20": 0.1880, "ndcg@20": 0.1585}
LIGHTGCN_GOWALLA = 0.1554
"""NDCG@20 in LightGCN's paper (arXiv 2002.02126)."""


def main() -> None:
    chosen = options(__doc__ or "", _options)
    keep_freed_memory()
    figures: dict[str, Any] = {}
    ratio, reached = 1.0, True
    if chosen.data is not None or chosen.gowalla is None:
        task = ml_100k(chosen.data) if chosen.data is not None else _synthetic()
        recipe = ML_100K if chosen.data is not None else {}
        figures["ml_100k" if chosen.data is not None else "synthetic"] = small = _over_seeds(
            recipe, task, 1 if chosen.quick else chosen.seeds
        )
        ratio = small["test"]["ndcg@20"] / small["ease_test"]["ndcg@20"]
        aims = AIM if chosen.data is not None else small["ease_test"]
        reached = all(small["test"][name] >= aim for name, aim in aims.items())
    if chosen.gowalla is not None:
        figures["gowalla"] = choose_retrain_test(GOWALLA_WIDE, chosen.gowalla, 2 if chosen.quick else chosen.epochs)
        reached = reached and all(figures["gowalla"]["test"][name] >= aim for name, aim in AIM_GOWALLA.items())
        if chosen.data is None:
            ratio = figures["gowalla"]["test"]["ndcg@20"] / LIGHTGCN_GOWALLA
    peer = "LightGCN's paper" if chosen.data is None and chosen.gowalla is not None else "EASE"
    report("quality", figures=figures, peer=peer, ratio=ratio, reached=reached)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="folder with train.csv, valid.csv and test.csv of MovieLens-100K")
    parser.add_argument("--gowalla", type=Path, help="folder with Gowalla's train.txt and test.txt")
    parser.add_argument("--epochs", type=int, default=GOWALLA_EPOCHS, help="most epochs on Gowalla")
    parser.add_argument("--seeds", type=int, default=5, help="runs on MovieLens-100K")


def _synthetic() -> Task:
    n_users, n_items, n_train = ML_100K_SIZE
    interactions = synthetic(n_users, n_items, n_train + 2 * HELD_OUT)
    train_index, valid, test = np.split(np.arange(len(interactions)), [n_train, n_train + HELD_OUT])
    graph = build_graph(interactions, train_index)
    return Task(interactions, graph, build_targets(interactions, valid, graph), test)


def _over_seeds(recipe: Recipe, task: Task, seeds: int) -> dict[str, Any]:
    """Mean and deviation over seeds, each run at the epoch that was best in validation; EASE beside them."""
    valid, test = [], []
    for seed in range(seeds):
        result = train(recipe, task.graph, task.valid, TrainConfig(seed=seed))
        valid.append([result.scores.values[name] for name in SHOWN])
        scores = task.test(result.scorer)
        test.append([scores[name] for name in SHOWN])
        print(f"seed {seed} validation {valid[-1]} test {test[-1]}", flush=True)
    ease = task.test(fit_baseline("ease", task.graph, task.valid))
    return {
        "recipe": recipe,
        "seeds": seeds,
        "validation": _named(np.mean(valid, axis=0)),
        "test": _named(np.mean(test, axis=0)),
        "test_deviation": _named(np.std(test, axis=0)),
        "ease_test": {name: round(ease[name], 4) for name in SHOWN},
    }


def _named(values: np.ndarray) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in zip(SHOWN, values, strict=True)}


if __name__ == "__main__":
    main()
