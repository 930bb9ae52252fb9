"""Rank Gowalla's whole catalogue for all its users: ours against plain torch with the metrics of each user in Python.

The peer does what LightGCN-PyTorch does: dense scores of 100 users, a Python loop over their seen items, top-K,
then hits, recall, precision and NDCG by list operations.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.graphs import GOWALLA, joined, read_lists, synthetic
from benchmarks.reporting import options, report
from gnn.evaluate import EmbeddingScorer, Targets, build_targets, evaluate_test
from gnn.graph import Graph, build_graph
from gnn.interactions import Interactions
from gnn.spmm import spmm

WIDTH, K = 64, 20
TEST_INTERACTIONS = 217_242
PEER_BATCH = 100
AIM_SECONDS = 6.0
SAMPLE = 200
"""Users whose figures are checked against sorting all items."""


def main() -> None:
    chosen = options(__doc__ or "", _options)
    interactions, n_train = _read(chosen.data)
    graph = build_graph(interactions, np.arange(n_train))
    targets = build_targets(interactions, np.arange(n_train, len(interactions)), graph)
    # Propagated noise knows who is near whom, so that lists have hits to count.
    x = torch.randn(graph.n_nodes, WIDTH, generator=torch.Generator().manual_seed(0))
    for _ in range(3):
        x = spmm(graph.plain, x)
    x = torch.nn.functional.normalize(x)
    users, items = x[: graph.n_users].contiguous(), x[graph.n_users :].contiguous()
    scorer = EmbeddingScorer(users, items)
    times = []
    for _ in range(2 if chosen.quick else 4):
        started = time.perf_counter()
        scores = evaluate_test(scorer, graph, targets, (K,))
        times.append(time.perf_counter() - started)
    ours = min(times[1:])
    started = time.perf_counter()
    n_peer = len(targets.users) // (20 if chosen.quick else 1)
    peer_values = _plain(users, items, graph, targets, n_peer)
    # A share of the users takes that share of the time: every batch does the same work.
    peer = (time.perf_counter() - started) * len(targets.users) / n_peer
    for name, values in peer_values.items():
        np.testing.assert_allclose(scores.per_user[name][:n_peer].mean(dtype=np.float64), values, rtol=1e-3)
    checked = np.random.default_rng(0).choice(len(targets.users), SAMPLE, replace=False)
    wrong = sum(not _agrees(place, users, items, graph, targets, scores.per_user) for place in checked)
    figures = {
        "users": len(targets.users),
        "items": graph.n_items,
        "metrics": len(scores.values),
        "ours_s": round(ours, 2),
        "plain_torch_s": round(peer, 2),
        "plain_torch_users": n_peer,
        "checked_users": SAMPLE,
        "wrong_users": wrong,
    }
    report("evaluate", figures=figures, peer="plain torch and Python", ratio=peer / ours, reached=ours <= AIM_SECONDS and wrong == 0)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="folder with Gowalla's train.txt and test.txt; synthetic without")


def _read(folder: Path | None) -> tuple[Interactions, int]:
    """Interactions, those to train on first, and how many these are."""
    if folder is None:
        n_users, n_items, n_train = GOWALLA
        return synthetic(n_users, n_items, n_train + TEST_INTERACTIONS), n_train
    return joined([read_lists(folder / "train.txt"), read_lists(folder / "test.txt")])


def _plain(users: torch.Tensor, items: torch.Tensor, graph: Graph, targets: Targets, n_users: int) -> dict[str, float]:
    """Mean metrics of the first ``n_users`` target users."""
    seen, limits = graph.seen_items.numpy(), graph.seen_indptr.numpy()
    total = {f"recall@{K}": 0.0, f"precision@{K}": 0.0, f"ndcg@{K}": 0.0}
    for start in range(0, n_users, PEER_BATCH):
        batch = targets.users[start : min(start + PEER_BATCH, n_users)]
        rating = users[torch.from_numpy(batch)] @ items.t()
        rows: list[int] = []
        columns: list[int] = []
        for row, user in enumerate(batch):
            liked = seen[limits[user] : limits[user + 1]].tolist()
            rows.extend([row] * len(liked))
            columns.extend(liked)
        rating[rows, columns] = -(1 << 10)
        listed = torch.topk(rating, K)[1].numpy()
        for row in range(len(batch)):
            wanted = targets.items[targets.indptr[start + row] : targets.indptr[start + row + 1]].tolist()
            hits = np.array([item in wanted for item in listed[row]], dtype=float)
            discount = 1.0 / np.log2(np.arange(2, K + 2))
            total[f"recall@{K}"] += hits.sum() / len(wanted)
            total[f"precision@{K}"] += hits.sum() / K
            total[f"ndcg@{K}"] += (hits * discount).sum() / discount[: min(len(wanted), K)].sum()
    return {name: value / n_users for name, value in total.items()}


def _agrees(place: int, users: torch.Tensor, items: torch.Tensor, graph: Graph, targets: Targets, per_user: dict[str, np.ndarray]) -> bool:
    """Whether one user's metrics are those of sorting all its unseen items by their score in double precision."""
    user = int(targets.users[place])
    scores = items.double().numpy() @ users[user].double().numpy()
    scores[graph.seen_items[graph.seen_indptr[user] : graph.seen_indptr[user + 1]].numpy()] = -np.inf
    wanted = targets.items[targets.indptr[place] : targets.indptr[place + 1]]
    hits = np.isin(np.argsort(-scores, kind="stable")[:K], wanted)
    discount = 1.0 / np.log2(np.arange(2, K + 2))
    precision, recall = hits.sum() / K, hits.sum() / len(wanted)
    expected = {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(precision + recall, 1e-12),
        "ndcg": (hits * discount).sum() / discount[: len(wanted)].sum(),
    }
    return all(abs(per_user[f"{name}@{K}"][place] - value) < 1e-6 for name, value in expected.items())


if __name__ == "__main__":
    main()
