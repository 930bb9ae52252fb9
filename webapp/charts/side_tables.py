"""The figures of a dataset's side tables: how much they describe, and how large the graphs are that they add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from webapp.charts.figures import BLUE, GREEN, ORANGE, PINK, SKY, figure_json

MAX_BARS = 60
_LONGEST_LABEL = 40
_KINDS = {
    "item_attributes": ("items", BLUE),
    "user_attributes": ("users", ORANGE),
    "social": ("users", GREEN),
    "triples": ("items", PINK),
    "item_links": ("items", SKY),
}
"""Whom each kind of table describes, and the colour of its bars."""
_SIZES = {"social": (("edges", "social edges"),), "triples": (("rows", "triples"), ("entities", "entities"), ("relations", "relations"))}
"""The sizes of the graph of each kind, by their place in the profile."""


@dataclass(frozen=True)
class Bar:
    label: str
    value: float
    kind: str
    hover: str


def coverage_bars(side: Sequence[Mapping[str, Any]]) -> list[Bar]:
    """The share of users or items with a row in each table, and with a value in each attribute."""
    bars = []
    for table in side:
        whom, kind = _KINDS[table["kind"]][0], table["kind"]
        bars.append(Bar(table["filename"], table["coverage"], kind, f"{table['coverage']:.1%} of the {whom} are in {table['filename']}"))
        for attribute in table.get("attributes", ()):
            share = attribute["coverage"]
            bars.append(Bar(f"· {attribute['name']}", share, kind, f"{share:.1%} of the {whom} have a value of {attribute['name']}"))
    return bars[:MAX_BARS]


def size_bars(side: Sequence[Mapping[str, Any]]) -> list[Bar]:
    """The numbers of edges, triples, entities and relations."""
    return [
        Bar(words if len(side) == 1 else f"{table['filename']}: {words}", table[key], table["kind"], f"{table[key]:,} {words}")
        for table in side
        for key, words in _SIZES.get(table["kind"], ())
        if table[key]
    ]


def coverage_figure(bars: Sequence[Bar]) -> dict[str, Any]:
    figure = _lying(bars)
    figure.update_layout(xaxis={"range": [0, 1], "tickformat": ".0%", "title": {"text": "Share described"}})
    return figure_json(figure)


def size_figure(bars: Sequence[Bar]) -> dict[str, Any]:
    figure = _lying(bars)
    figure.update_traces(text=[f"{bar.value:,}" for bar in bars], textposition="auto")
    figure.update_layout(xaxis={"type": "log", "dtick": "D2", "title": {"text": "Number"}})
    return figure_json(figure)


def _lying(bars: Sequence[Bar]) -> go.Figure:
    """Bars from top to bottom; the axis is of places, since two tables may have attributes of the same name."""
    figure = go.Figure()
    places = list(range(len(bars)))
    figure.add_bar(
        x=[bar.value for bar in bars], y=places, orientation="h", customdata=[bar.hover for bar in bars],
        marker={"color": [_KINDS[bar.kind][1] for bar in bars], "line": {"width": 0}}, hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip
    figure.update_layout(
        yaxis={"tickvals": places, "ticktext": [_short(bar.label) for bar in bars], "autorange": "reversed", "automargin": True},
        height=110 + 24 * len(bars),
        showlegend=False,
        bargap=0.3,
    )
    return figure


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"
