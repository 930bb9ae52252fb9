"""Learning curves of trials, and the best so far of searches, over each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from django.utils.translation import gettext as _

from webapp.charts.figures import BLUE, GREEN, ORANGE, PINK, VERMILLION, figure_json
from webapp.selectors.searches import metric_label

STYLES = ((BLUE, "solid"), (ORANGE, "dash"), (GREEN, "dot"), (PINK, "dashdot"), (VERMILLION, "longdash"))
"""Colour and dash of each line: told apart without colour too."""
MAX_POINTS = 400
"""Of one line."""


@dataclass(frozen=True)
class Line:
    label: str
    x: Sequence[float]
    y: Sequence[float]


def thinned(line: Line, limit: int = MAX_POINTS) -> Line:
    """At most ``limit`` points, evenly chosen, with the first and the last."""
    if len(line.x) <= limit:
        return line
    kept = [round(index * (len(line.x) - 1) / (limit - 1)) for index in range(limit)]
    return Line(line.label, [line.x[index] for index in kept], [line.y[index] for index in kept])


def lines_figure(lines: Sequence[Line], *, metric: str, axis: str, steps: bool = False) -> dict[str, Any]:
    """One line each; ``steps`` holds a value until the next, as a best so far does."""
    figure = go.Figure()
    for line, (colour, dash) in zip(lines, STYLES, strict=False):
        figure.add_scatter(
            x=list(line.x), y=list(line.y), mode="lines", name=line.label,
            line={"color": colour, "dash": dash, "width": 2, "shape": "hv" if steps else "linear"},
            hovertemplate=f"{axis} %{{x}}<br>{metric_label(metric)} %{{y:.4f}}<extra>%{{fullData.name}}</extra>",
        )  # fmt: skip
    figure.update_layout(
        xaxis={"title": {"text": axis}, "rangemode": "tozero"},
        yaxis={"title": {"text": _("Validation %(metric)s") % {"metric": metric_label(metric)}}},
        showlegend=True,
    )
    return figure_json(figure)
