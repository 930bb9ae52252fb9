"""How well the time of an epoch is told from an architecture and the sizes of its data, before any trial and after some.

Trains random architectures of the presets for two epochs each on synthetic graphs of several sizes, fits the rates of
``gnn.cost`` to all of them (what ``MEASURED`` holds, for one core), and judges on graphs that were left out.

    python -m benchmarks.trial_cost [--quick] [--threads 1] [--records FILE]
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.graphs import ML_100K, synthetic
from benchmarks.reporting import options, report
from gnn.catalogue import preset_space
from gnn.cost import KINDS, MEASURED, Rates, epoch_work, fit_rates
from gnn.errors import TrainError
from gnn.evaluate import Targets, build_targets
from gnn.graph import Graph, build_graph
from gnn.model import build_model
from gnn.protocol import Protocol
from gnn.settings import Settings
from gnn.space import Architecture
from gnn.splits import split
from gnn.train import EpochReport, TrainConfig, fit

SIZES = {"ml-100k": ML_100K, "many users": (2_500, 600, 40_000), "many items": (500, 4_000, 30_000)}
"""Users, items and interactions."""
PRESETS = ("demo", "full", "lightgcn-family")
EPOCHS = 2
NEEDED = 2.0
"""The factor that predictions must be within, two times of three."""


def main() -> None:
    chosen = options(__doc__ or "", _add)
    records = _measured(per_preset=3 if chosen.quick else 20, file=chosen.records)
    for size in sorted({record["size"] for record in records}):
        some = [record for record in records if record["size"] == size]
        print(f"{size}: {len(some)} architectures, measured rates within a factor of {_factor(MEASURED, some):.2f}", flush=True)
    fitted = fit_rates([_work(record) for record in records], [record["seconds"] for record in records], prior=None)
    print(
        json.dumps(
            {"rates": dict(zip(KINDS, (float(f"{rate:.3g}") for rate in fitted.seconds), strict=True)), "spread": round(fitted.spread, 2)}
        )
    )
    left_out = [_left_out(records, size) for size in SIZES]
    worst = max(left_out)
    report(
        "trial_cost",
        figures={
            "architectures": len(records),
            "factor_measured": round(_factor(MEASURED, records), 3),
            "factor_on_sizes_left_out": [round(factor, 3) for factor in left_out],
            "factor_after_12_trials": round(_after(records, 12), 3),
        },
        peer="the mean of all epochs",
        ratio=_constant(records) / worst,
        reached=worst <= NEEDED,
    )


def _add(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(threads=1)
    parser.add_argument("--records", type=Path, help="file of JSON lines to keep measurements in, and to take those it has from")


def _measured(*, per_preset: int, file: Path | None) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in file.read_text().splitlines()] if file is not None and file.exists() else []
    done = {(record["size"], json.dumps(record["architecture"])) for record in records}
    graphs = {size: _graph(*counts) for size, counts in SIZES.items()}
    generator = np.random.default_rng(0)
    drawn = [preset_space(preset).sample(generator) for _ in range(per_preset) for preset in PRESETS]
    for architecture, (size, (graph, valid)) in product(drawn, graphs.items()):
        if (size, json.dumps(architecture.to_json())) in done:
            continue
        record = {"size": size, "architecture": architecture.to_json(), "graph": [graph.n_users, graph.n_items, graph.n_edges]}
        try:
            record["seconds"] = _epoch_seconds(architecture, graph, valid)
        except TrainError:  # diverged, or does not fit this machine
            continue
        records.append(record)
        if file is not None:
            with file.open("a") as lines:
                lines.write(json.dumps(record) + "\n")
    return records


def _graph(n_users: int, n_items: int, n_edges: int) -> tuple[Graph, Targets]:
    interactions = synthetic(n_users, n_items, n_edges)
    parts = split(interactions, Protocol())
    graph = build_graph(interactions, parts.train)
    return graph, build_targets(interactions, parts.valid, graph)


def _epoch_seconds(architecture: Architecture, graph: Graph, valid: Targets) -> float:
    """CPU time of an epoch after the first, which also pays for what is set up once."""
    ends: list[float] = []

    def note(report: EpochReport) -> None:
        ends.append(time.process_time())

    fit(build_model(architecture, graph, 0), graph, valid, TrainConfig(max_epochs=EPOCHS), note)
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def _work(record: dict[str, Any]) -> np.ndarray:
    return epoch_work(Settings.of(Architecture.of(record["architecture"])), *record["graph"])


def _factor(rates: Rates, records: list[dict[str, Any]]) -> float:
    """Within which two of three predictions are of the truth."""
    predicted = np.array([rates.epoch_seconds(_work(record)) for record in records])
    return float(np.exp(np.quantile(np.abs(np.log(predicted / [record["seconds"] for record in records])), 2 / 3)))


def _left_out(records: list[dict[str, Any]], size: str) -> float:
    rest = [record for record in records if record["size"] != size]
    rates = fit_rates([_work(record) for record in rest], [record["seconds"] for record in rest], prior=None)
    return _factor(rates, [record for record in records if record["size"] == size])


def _after(records: list[dict[str, Any]], n: int) -> float:
    """Corrected by ``n`` trials of one size on a machine of half the speed, on the rest of that size; the mean over sizes."""
    factors = []
    for size in SIZES:
        some = [record | {"seconds": 2 * record["seconds"]} for record in records if record["size"] == size]
        np.random.default_rng(0).shuffle(some)  # type: ignore[arg-type]
        rates = fit_rates([_work(record) for record in some[:n]], [record["seconds"] for record in some[:n]])
        factors.append(_factor(rates, some[n:]))
    return float(np.mean(factors))


def _constant(records: list[dict[str, Any]]) -> float:
    logs = np.log([record["seconds"] for record in records])
    return float(np.exp(np.quantile(np.abs(logs - logs.mean()), 2 / 3)))


if __name__ == "__main__":
    main()
