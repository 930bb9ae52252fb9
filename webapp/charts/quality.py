"""Scores against costs, and how they are distributed; first the data, then the drawing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from gnn.pareto import pareto_front
from webapp.charts.figures import GREEN, figure_json
from webapp.charts.searches import ARM_STYLES
from webapp.enums import ArmName
from webapp.selectors.analysis import MOST_POINTS, Cost, Costed

COST_LABELS: dict[Cost, str | Promise] = {
    "parameters": gettext_lazy("Parameters"),
    "train_seconds": gettext_lazy("Training time, s"),
    "latency_ms": gettext_lazy("Latency, ms"),
}


@dataclass(frozen=True)
class Pareto:
    """Trials by cost and score; ``front`` are those that no other beats in both, the cheapest first."""

    points: Sequence[Costed]
    front: Sequence[Costed]
    label: str
    cost_label: str
    total: int

    def rows(self) -> Iterator[Sequence[Any]]:
        yield ["trial", "arm", self.cost_label, self.label, "on the front"]
        on_front = {point.number for point in self.front}
        for point in self.points:
            yield [point.number, point.arm, point.cost, point.score, "yes" if point.number in on_front else "no"]


def pareto_data(points: Sequence[Costed], *, label: str, cost_label: str, limit: int = MOST_POINTS) -> Pareto:
    """The front of all points; of the others an even choice, where there are more than ``limit``."""
    chosen = pareto_front(np.array([(point.score, point.cost) for point in points]).reshape(-1, 2), (1, -1)) if points else []
    front = sorted((points[index] for index in chosen), key=lambda point: (point.cost, point.number))
    step = max(1, -(-len(points) // limit))
    kept = {*range(0, len(points), step), *chosen}
    return Pareto([points[index] for index in sorted(kept)], front, label, cost_label, len(points))


def pareto_figure(data: Pareto) -> dict[str, Any]:
    figure = go.Figure()
    for arm in ArmName:
        points = [point for point in data.points if point.arm == arm]
        if points:
            colour, symbol, size = ARM_STYLES[arm]
            figure.add_scatter(
                x=[point.cost for point in points], y=[point.score for point in points], customdata=[[point.number] for point in points],
                mode="markers", name=str(arm.label), meta=f"pareto:{arm}",
                marker={"color": colour, "symbol": symbol, "size": size, "opacity": 0.65},
                hovertemplate=f"{_('Trial')} %{{customdata[0]}}<br>{data.cost_label} %{{x}}<br>{data.label} %{{y:.4f}}<extra></extra>",
            )  # fmt: skip
    if data.front:
        figure.add_scatter(
            x=[point.cost for point in data.front], y=[point.score for point in data.front],
            customdata=[[point.number] for point in data.front], mode="lines+markers", name=_("Nothing beats these in both"), meta="front",
            line={"color": GREEN, "width": 2, "shape": "hv"}, marker={"color": GREEN, "symbol": "square-open", "size": 10},
            hovertemplate=f"{_('Trial')} %{{customdata[0]}}<br>{data.cost_label} %{{x}}<br>{data.label} %{{y:.4f}}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        height=480, xaxis={"title": {"text": data.cost_label}, "type": "log"}, yaxis={"title": {"text": data.label}}, showlegend=True
    )
    return figure_json(figure)


@dataclass(frozen=True)
class Distribution:
    """For each arm its scores, ascending, each with the share of the arm's trials that reach no more."""

    curves: Mapping[str, Sequence[tuple[float, float]]]
    label: str

    def rows(self) -> Iterator[Sequence[Any]]:
        yield ["arm", self.label, "share of its trials at or below"]
        for arm, curve in self.curves.items():
            yield from ([arm, score, share] for score, share in curve)


def distribution_data(scores: Mapping[str, Sequence[float]], *, label: str, limit: int = MOST_POINTS // 2) -> Distribution:
    """The empirical distribution of the scores of each arm; with more than ``limit`` of them an even choice, with the last."""
    curves = {}
    for arm, some in scores.items():
        step = max(1, -(-len(some) // limit))
        places = [*range(0, len(some) - 1, step), len(some) - 1]
        curves[arm] = [(some[place], (place + 1) / len(some)) for place in places]
    return Distribution(curves, label)


def distribution_figure(data: Distribution) -> dict[str, Any]:
    figure = go.Figure()
    for arm, dash in zip(ArmName, ("solid", "dash", "dot"), strict=True):
        if arm in data.curves:
            curve = data.curves[arm]
            figure.add_scatter(
                x=[score for score, _share in curve], y=[share for _score, share in curve], mode="lines", name=str(arm.label),
                meta=f"edf:{arm}", line={"color": ARM_STYLES[arm][0], "dash": dash, "width": 2, "shape": "hv"},
                hovertemplate=f"{arm.label}<br>%{{y:.1%}} ≤ %{{x:.4f}}<extra></extra>",
            )  # fmt: skip
    figure.update_layout(
        height=460,
        showlegend=True,
        xaxis={"title": {"text": data.label}},
        yaxis={"title": {"text": _("Share of the arm's trials at or below")}, "range": [0, 1.02], "tickformat": ".0%"},
    )
    return figure_json(figure)
