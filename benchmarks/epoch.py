"""One epoch of LightGCN (64 numbers, 2 layers, BPR, batch 2048) on MovieLens-100K: ours against RecBole 1.2.1.

With ``--data`` RecBole runs on the same files, in an environment of its own that the first run installs under
.cache/peers. Without, the interactions are synthetic and the peer is PyG with the same batches.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch_geometric.nn import LightGCN

from benchmarks.graphs import ML_100K, synthetic
from benchmarks.reporting import options, report
from gnn.evaluate import build_targets
from gnn.graph import Graph, build_graph
from gnn.heap import keep_freed_memory
from gnn.loading import load
from gnn.model import build_model
from gnn.negatives import NegativeSampler
from gnn.protocol import Protocol
from gnn.sampling import pair_blocks
from gnn.space import Architecture
from gnn.trainer import Trainer

BATCH = 2048
HELD_OUT = 9_596
LIGHTGCN = {
    "node_dim": 64, "layers": 2, "item_bias": "none", "dropout": 0.0, "loss": "bpr", "l2": 1e-5, "learning_rate": 1e-3, "averaging": 0.0,
}  # fmt: skip
RECBOLE = ("recbole==1.2.1", "torch==2.13.0")
PEERS = Path(__file__).resolve().parent.parent / ".cache" / "peers"
AIM = 8


def main() -> None:
    chosen = options(__doc__ or "", _options)
    keep_freed_memory()
    if chosen.data is None:
        n_users, n_items, n_train = ML_100K
        interactions = synthetic(n_users, n_items, n_train + HELD_OUT)
        train, valid = np.split(np.arange(len(interactions)), [n_train])
    else:
        loaded = load(chosen.data, Protocol())
        interactions, train, valid = loaded.interactions, loaded.split.train, loaded.split.valid
    graph = build_graph(interactions, train)
    trainer = Trainer(build_model(Architecture.of(LIGHTGCN), graph, 0), graph, build_targets(interactions, valid, graph), 0)
    updates = math.ceil(graph.n_edges / BATCH)
    # The engine shares interactions out evenly: this many a step make as many steps as batches of 2048.
    trainer.objective.size = math.ceil(graph.n_edges / updates)
    trainer.train_epoch()
    ours = []
    for _ in range(5 if chosen.quick else 20):
        started = time.perf_counter()
        trainer.train_epoch()
        ours.append(time.perf_counter() - started)
    repeat = 1 if chosen.quick else 5
    name, theirs = (
        ("PyG LightGCN", _pyg(graph, updates, repeat)) if chosen.data is None else ("RecBole 1.2.1", _recbole(chosen, updates, repeat))
    )
    ratio = statistics.median(theirs) / statistics.median(ours)
    figures = {
        "interactions": graph.n_edges,
        "updates": updates,
        "ours_s": round(statistics.median(ours), 4),
        "ours_fastest_s": round(min(ours), 4),
        "peer_s": round(statistics.median(theirs), 4),
        "peer_fastest_s": round(min(theirs), 4),
    }
    report("epoch", figures=figures, peer=name, ratio=ratio, reached=ratio >= AIM)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="folder with train.csv, valid.csv and test.csv of MovieLens-100K")


def _recbole(chosen: argparse.Namespace, updates: int, repeat: int) -> list[float]:
    """Seconds of each of RecBole's epochs."""
    python = PEERS / "recbole" / "bin" / "python"
    if not (PEERS / "recbole" / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", PEERS / "recbole"], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *RECBOLE], check=True)
        (PEERS / "recbole" / "complete").touch()
    script = Path(__file__).parent / "peers" / "recbole_epochs.py"
    runner = [python, "-W", "ignore", script, chosen.data.resolve(), str(chosen.threads), str(repeat)]
    with tempfile.TemporaryDirectory() as folder:  # RecBole leaves logs where it runs
        printed = subprocess.run(runner, check=True, capture_output=True, text=True, cwd=folder).stdout
    result = json.loads(printed.splitlines()[-1])
    if result["updates"] != updates:
        raise SystemExit(f"RecBole made {result['updates']} updates where the engine made {updates}.")
    seconds: list[float] = result["seconds"]
    return seconds


def _pyg(graph: Graph, updates: int, repeat: int) -> list[float]:
    """Seconds of each epoch of PyG's LightGCN, with our sampler."""
    user = torch.repeat_interleave(torch.arange(graph.n_users), graph.user_degree)
    item = graph.n_users + graph.seen_items
    edges = torch.stack([torch.cat([user, item]), torch.cat([item, user])])
    model = LightGCN(graph.n_nodes, 64, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(0)
    sampler = NegativeSampler(graph)
    seconds = []
    for _ in range(repeat):
        started = time.perf_counter()
        for block in pair_blocks(graph, sampler.unseen > 0, math.ceil(graph.n_edges / updates), generator):
            x, drawn = model.get_embedding(edges), sampler(block.users, generator)
            users, positives, negatives = x[block.users], x[graph.n_users + block.items], x[graph.n_users + drawn]
            used = torch.cat([block.users, graph.n_users + block.items, graph.n_users + drawn])
            scores = (users * positives).sum(1), (users * negatives).sum(1)
            loss = model.recommendation_loss(*scores, node_id=used, lambda_reg=1e-5)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        seconds.append(time.perf_counter() - started)
    return seconds


if __name__ == "__main__":
    main()
