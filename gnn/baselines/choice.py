"""Settings of a baseline picked by validation: what suits a dense table does not suit a sparse one."""

from __future__ import annotations

from collections.abc import Iterable

from gnn.evaluate import Scorer, Targets, evaluate_validation
from gnn.graph import Graph

CUTOFF = 20


def best_in_validation(scorers: Iterable[Scorer], graph: Graph, valid: Targets) -> Scorer:
    """The first of those with the highest validation NDCG; no more than two are in memory at a time."""
    return max(scorers, key=lambda scorer: evaluate_validation(scorer, graph, valid, (CUTOFF,)).values[f"ndcg@{CUTOFF}"])
