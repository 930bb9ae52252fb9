"""The engine's best recipes, chosen by validation scores and tested once: MovieLens-100K over several seeds, and Gowalla.

Both stand beside EASE on MovieLens-100K's same files and the published figures of LightGCN on Gowalla. Without data, the
recipe runs on synthetic interactions beside EASE.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.graphs import ML_100K as ML_100K_SIZE
from benchmarks.graphs import synthetic
from benchmarks.recipes import GOWALLA, ML_100K, SHOWN, Task, choose_retrain_test, ml_100k, train
from benchmarks.reporting import options, report
from gnn.baselines import fit_baseline
from gnn.evaluate import build_targets
from gnn.graph import build_graph
from gnn.train import TrainConfig

HELD_OUT = 9_596
AIM = {"recall@20": 0.4150, "ndcg@20": 0.3550}
AIM_GOWALLA = {"recall@20": 0.1880, "ndcg@20": 0.1585}
LIGHTGCN_GOWALLA = 0.1554
"""NDCG@20 in LightGCN's paper (arXiv 2002.02126)."""


def main() -> None:
    chosen = options(__doc__ or "", _options)
    figures: dict[str, Any] = {}
    ratio, reached = 1.0, True
    if chosen.data is not None or chosen.gowalla is None:
        task = ml_100k(chosen.data) if chosen.data is not None else _synthetic()
        figures["ml_100k" if chosen.data is not None else "synthetic"] = small = _over_seeds(task, 1 if chosen.quick else chosen.seeds)
        ratio = small["test"]["ndcg@20"] / small["ease_test"]["ndcg@20"]
        reached = all(small["test"][name] >= aim for name, aim in AIM.items())
    if chosen.gowalla is not None:
        figures["gowalla"] = choose_retrain_test(GOWALLA, chosen.gowalla, 2 if chosen.quick else chosen.epochs)
        reached = reached and all(figures["gowalla"]["test"][name] >= aim for name, aim in AIM_GOWALLA.items())
        if chosen.data is None:
            ratio = figures["gowalla"]["test"]["ndcg@20"] / LIGHTGCN_GOWALLA
    peer = "LightGCN's paper" if chosen.data is None and chosen.gowalla is not None else "EASE"
    report("quality", figures=figures, peer=peer, ratio=ratio, reached=reached)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="folder with train.csv, valid.csv and test.csv of MovieLens-100K")
    parser.add_argument("--gowalla", type=Path, help="folder with Gowalla's train.txt and test.txt")
    parser.add_argument("--epochs", type=int, default=24, help="most epochs on Gowalla")
    parser.add_argument("--seeds", type=int, default=5, help="runs on MovieLens-100K")


def _synthetic() -> Task:
    n_users, n_items, n_train = ML_100K_SIZE
    interactions = synthetic(n_users, n_items, n_train + 2 * HELD_OUT)
    train_index, valid, test = np.split(np.arange(len(interactions)), [n_train, n_train + HELD_OUT])
    graph = build_graph(interactions, train_index)
    return Task(interactions, graph, build_targets(interactions, valid, graph), test)


def _over_seeds(task: Task, seeds: int) -> dict[str, Any]:
    """Mean and deviation over seeds, each run at the epoch that was best in validation; EASE beside them."""
    valid, test = [], []
    for seed in range(seeds):
        result = train(ML_100K, task.graph, task.valid, TrainConfig(seed=seed))
        valid.append([result.scores.values[name] for name in SHOWN])
        scores = task.test(result.scorer)
        test.append([scores[name] for name in SHOWN])
        print(f"seed {seed} validation {valid[-1]} test {test[-1]}", flush=True)
    ease = task.test(fit_baseline("ease", task.graph, task.valid))
    return {
        "recipe": ML_100K,
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
