"""Rows of a table of metrics: one for each that was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from gnn.protocol import Protocol
from webapp.selectors.searches import METRIC_LABELS, WHOLE_METRIC_LABELS

Value = TypeVar("Value")


def metric_table(scores: Mapping[str, Value], protocol: Protocol) -> list[tuple[str, list[tuple[str, Value | None]]]]:
    """(label, its (name, value) at each list length), and after them those that are of no list, each with one value."""
    rows: list[tuple[str, list[tuple[str, Value | None]]]] = [
        (label, [(f"{name}@{k}", scores.get(f"{name}@{k}")) for k in protocol.cutoffs])
        for name, label in METRIC_LABELS.items()
        if any(f"{name}@{k}" in scores for k in protocol.cutoffs)
    ]
    return rows + [(label, [(name, scores[name])]) for name, label in WHOLE_METRIC_LABELS.items() if name in scores]
