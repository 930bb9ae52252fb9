"""Train every architecture of the table space once on a dataset and pack the results: the recipe of benchmarks/tables.

Half an hour of one core at most. Results are appended to a file of JSON lines as they come, in a fixed random order; when
stopped, the next run goes on where the file ends. When all are there, the table is written.

    python -m benchmarks.make_table ml-100k --data FOLDER --results RAW.jsonl
    python -m benchmarks.make_table movietweetings --data FOLDER/ratings.dat --core 15 --results RAW.jsonl
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.landscape import MAX_EPOCHS, OUTSIDE, PATIENCE, TABLES, enumerate_space, table_space, write_table
from gnn.device import set_threads
from gnn.errors import Diverged
from gnn.evaluate import Targets, build_targets
from gnn.graph import Graph, build_graph
from gnn.interactions import Interactions
from gnn.loading import load
from gnn.model import build_model
from gnn.protocol import Protocol
from gnn.space import Architecture
from gnn.splits import split
from gnn.train import TrainConfig, fit

ORDER_SEED = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--data", type=Path, required=True, help="an interaction file, or a folder of train.csv, valid.csv and test.csv")
    parser.add_argument("--core", type=int, default=1, help="keep users and items with at least so many interactions among those kept")
    parser.add_argument("--results", type=Path, required=True, help="file of JSON lines to continue")
    parser.add_argument("--limit", type=int, help="stop after so many new architectures")
    chosen = parser.parse_args()
    set_threads(1)
    graph, valid = prepare(chosen.data, chosen.core)
    todo = enumerate_space(table_space())
    done = {Architecture.of(record["architecture"]).key for record in completed(chosen.results)}
    order = np.random.default_rng(ORDER_SEED).permutation(len(todo))
    missing = [todo[i] for i in order if todo[i].key not in done][: chosen.limit]
    started, spent = time.perf_counter(), time.process_time()
    with chosen.results.open("a") as results:
        for n, architecture in enumerate(missing, 1):
            results.write(json.dumps(trial(architecture, graph, valid)) + "\n")
            results.flush()
            if n % 30 == 0:
                wall, cpu = (time.perf_counter() - started) / n, (time.process_time() - spent) / n
                print(f"{n} of {len(missing)}: {wall:.2f} s each, {cpu:.2f} s of CPU", flush=True)
    records = completed(chosen.results)
    if len(records) == len(todo):
        print(f"wrote {write_table(chosen.table, records)}")


def prepare(data: Path, core: int) -> tuple[Graph, Targets]:
    """The training graph and validation items; a folder is split already, a file is split as searches do."""
    loaded = load(data, Protocol())
    interactions, parts = loaded.interactions, loaded.split
    if core > 1:
        interactions = k_core(interactions, core)
        parts = split(interactions, Protocol())
    graph = build_graph(interactions, parts.train)
    return graph, build_targets(interactions, parts.valid, graph)


def k_core(interactions: Interactions, k: int) -> Interactions:
    """The largest part in which every user and every item has at least ``k`` interactions, without weights and times."""
    user, item = interactions.user, interactions.item
    kept = np.ones(len(interactions), dtype=bool)
    while True:
        users = np.bincount(user[kept], minlength=interactions.n_users) >= k
        items = np.bincount(item[kept], minlength=interactions.n_items) >= k
        fewer = kept & users[user] & items[item]
        if fewer.sum() == kept.sum():
            break
        kept = fewer
    users, user = np.unique(user[kept], return_inverse=True)
    items, item = np.unique(item[kept], return_inverse=True)
    ids = interactions.user_ids.gather(users), interactions.item_ids.gather(items)
    return Interactions(user.astype(np.int32), item.astype(np.int32), None, None, *ids)


def completed(results: Path) -> list[dict[str, Any]]:
    """The records in ``results``; a last line that was cut off is removed."""
    if not results.exists():
        return []
    lines = results.read_text().splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        results.write_text("".join(lines[:-1]))
        lines.pop()
    return [json.loads(line) for line in lines]


def trial(architecture: Architecture, graph: Graph, valid: Targets) -> dict[str, Any]:
    """Train one architecture; its seed is made of its key."""
    seed = int(architecture.key[:7], 16)
    curve: list[float] = []
    started = time.process_time()
    model = build_model(Architecture.of(architecture.to_json() | OUTSIDE), graph, seed)
    record: dict[str, Any] = {"architecture": architecture.to_json(), "parameters": model.parameter_count, "failure": ""}
    try:
        config = TrainConfig(max_epochs=MAX_EPOCHS, patience=PATIENCE, seed=seed)
        result = fit(model, graph, valid, config, lambda report: curve.append(round(report.scores.values["ndcg@20"], 5)))
        record |= {name: round(result.scores.values[name], 5) for name in ("ndcg@20", "recall@20")}
    except Diverged as error:
        record["failure"] = str(error)
    return record | {"curve": curve, "epochs": len(curve), "seconds": round(time.process_time() - started, 3)}


if __name__ == "__main__":
    main()
