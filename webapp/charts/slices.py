"""A metric by slices of users or items as bars: first the data, then the drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from gnn.slices import Slice
from webapp.charts.figures import BLUE, GREY, figure_json
from webapp.selectors.searches import metric_label

Z = 1.959964
STYLES = ((BLUE, ""), (GREY, "/"))
"""Colour and pattern of each model's bars: told apart without colour too."""


@dataclass(frozen=True)
class Bars:
    """The bars of one model; ``half`` is half of each interval."""

    label: str
    x: Sequence[str]
    y: Sequence[float]
    half: Sequence[float]


def slice_label(part: Slice) -> str:
    """The range of training interactions of those in a slice."""
    return f"{part.low:,}" if part.low == part.high else f"{part.low:,}–{part.high:,}"


def slice_bars(models: Sequence[tuple[str, Sequence[Slice]]], metric: str) -> list[Bars]:
    """Bars of each (label, slices); a model without the metric has none."""
    return [
        Bars(
            label,
            [slice_label(part) for part in slices],
            [part.values[metric][0] for part in slices],
            [Z * part.values[metric][1] for part in slices],
        )
        for label, slices in models
        if slices and metric in slices[0].values
    ]


def slices_figure(models: Sequence[Bars], *, metric: str, axis: str) -> dict[str, Any]:
    """``axis`` says what the ranges are of."""
    figure = go.Figure()
    for bars, (colour, pattern) in zip(models, STYLES, strict=False):
        figure.add_bar(
            x=list(bars.x), y=list(bars.y), name=bars.label, marker={"color": colour, "pattern": {"shape": pattern}},
            error_y={"type": "data", "array": list(bars.half), "color": GREY, "thickness": 1.2, "width": 4},
            hovertemplate=f"%{{x}}<br>{metric_label(metric)} %{{y:.4f}} ± %{{error_y.array:.4f}}<extra>%{{fullData.name}}</extra>",
        )  # fmt: skip
    figure.update_layout(
        xaxis={"title": {"text": axis}, "type": "category"},
        yaxis={"title": {"text": metric_label(metric)}, "rangemode": "tozero"},
        showlegend=len(models) > 1,
        bargap=0.3,
    )
    return figure_json(figure)
