"""The space whose every architecture was trained once, and the tables of what came out.

A table is a gzipped CSV file with a row per architecture, in the order of the space: its choices, the best epoch's validation
NDCG@20 and Recall@20, NDCG@20 after each epoch, epochs, seconds of CPU, parameters, and why it failed if it did.
benchmarks/make_table.py is the recipe.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gnn.catalogue import build_space
from gnn.space import Architecture, Choice, SearchSpace

FOLDER = Path(__file__).parent / "tables"
TABLES = ("ml-100k", "movietweetings")
OUTSIDE: dict[str, Choice] = {"averaging": 0.0}
"""How all of them were trained, where the catalogue's default is another; no decision of the space."""
MAX_EPOCHS = 6
PATIENCE = 3


def table_space() -> SearchSpace:
    """3,456 architectures: 3 x (3 + 9) x 2 x 2 x 2 x 3 x 4."""
    return build_space(
        {
            "node_dim": (8, 16, 32),
            "layers": (1, 2),
            "operator": ("lightgcn", "sgc", "gcn"),
            "combination": ("last", "mean"),
            "dropout": (0.0, 0.2),
            "scorer": ("cosine", "dot"),
            "temperature": (0.1, 0.2, 0.4),
            "learning_rate": (0.01, 0.02, 0.05, 0.1),
        }
    )


def enumerate_space(space: SearchSpace) -> list[Architecture]:
    """Every architecture, in the order of the choices; the space must be small."""
    partial: list[dict[str, Choice]] = [{}]
    for decision in space.decisions:
        partial = [
            extended
            for assigned in partial
            for extended in (
                [{**assigned, decision.name: choice} for choice in decision.choices] if space.is_active(decision, assigned) else [assigned]
            )
        ]
    return [Architecture.of(assigned) for assigned in partial]


def write_table(name: str, records: Iterable[dict[str, Any]]) -> Path:
    """Pack the records of all architectures (see ``make_table.trial``), one for each.

    Raises:
        ValueError: an architecture has no record.
    """
    space = table_space()
    by_key = {Architecture.of(record["architecture"]).key: record for record in records}
    epochs = [f"ndcg@20 epoch {epoch}" for epoch in range(1, MAX_EPOCHS + 1)]
    names = [decision.name for decision in space.decisions]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*names, "ndcg@20", "recall@20", *epochs, "epochs", "seconds", "parameters", "failure"])
    for architecture in enumerate_space(space):
        if architecture.key not in by_key:
            raise ValueError(f"{architecture} was not trained.")
        record = by_key[architecture.key]
        curve = record["curve"] + [""] * (MAX_EPOCHS - len(record["curve"]))
        scores = [record.get(metric, "") for metric in ("ndcg@20", "recall@20")]
        choices = [architecture.get(decision, "") for decision in names]
        table.writerow([*choices, *scores, *curve, *(record[name] for name in ("epochs", "seconds", "parameters", "failure"))])
    file = FOLDER / f"{name}.csv.gz"
    # Without a time stamp, equal tables are equal files.
    file.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    return file


def read_table(name: str) -> dict[str, float]:
    """Validation NDCG@20 of every architecture of the space by key; one that failed has 0."""
    with gzip.open(FOLDER / f"{name}.csv.gz", "rt", newline="") as file:
        scores = [float(row["ndcg@20"] or 0) for row in csv.DictReader(file)]
    return {architecture.key: score for architecture, score in zip(enumerate_space(table_space()), scores, strict=True)}
