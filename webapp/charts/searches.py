"""The reward curve of a search: first the data, then the drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from webapp.charts.figures import BLUE, GREEN, GREY, ORANGE, PINK, SKY, VERMILLION, figure_json
from webapp.selectors.searches import BaselineState, metric_label
from webapp.selectors.searches_live import CurvePoint

MAX_POINTS = 2000

BASELINE_STYLES = ((GREEN, "dash"), (PINK, "dot"), (GREY, "dashdot"), (SKY, "longdash"), (VERMILLION, "longdashdot"))


@dataclass(frozen=True)
class Series:
    """Columns of one trace; ``customdata`` holds what the hover label says beside x and y."""

    x: list[int]
    y: list[float]
    customdata: list[list[Any]]

    def to_json(self) -> dict[str, list[Any]]:
        return {"x": self.x, "y": self.y, "customdata": self.customdata}


@dataclass(frozen=True)
class RewardCurve:
    """Scores in the order trials ended, the best so far, and failures, which have no score."""

    completed: Series
    best: Series
    failed: Series

    def to_json(self) -> dict[str, dict[str, list[Any]]]:
        return {"completed": self.completed.to_json(), "best": self.best.to_json(), "failed": self.failed.to_json()}


def reward_curve(points: Sequence[CurvePoint], *, best: float | None = None) -> RewardCurve:
    """The series of ``points``; ``best`` is the best score before the first of them."""
    completed, line, failed = Series([], [], []), Series([], [], []), Series([], [], [])
    for point in points:
        if point.reward is None:
            failed.x.append(point.order)
            failed.y.append(FAILED_HEIGHT)
            failed.customdata.append([point.number, point.failure])
            continue
        completed.x.append(point.order)
        completed.y.append(point.reward)
        completed.customdata.append([point.number])
        best = point.reward if best is None else max(best, point.reward)
        line.x.append(point.order)
        line.y.append(best)
        line.customdata.append([point.number])
    return RewardCurve(completed, line, failed)


FAILED_HEIGHT = 0.03
"""Failures sit on the lower edge, on an axis of their own: 0 would read as a score."""


def down_sample(points: Sequence[CurvePoint], limit: int = MAX_POINTS) -> list[CurvePoint]:
    """At most about ``limit`` points: every improvement of the best, the first and the last, and an even choice of the rest."""
    if len(points) <= limit:
        return list(points)
    kept = {0, len(points) - 1}
    best = float("-inf")
    for index, point in enumerate(points):
        if point.reward is not None and point.reward > best:
            best = point.reward
            kept.add(index)
    step = len(points) / max(1, limit - len(kept))
    kept.update(int(step * index) for index in range(max(1, limit - len(kept))))
    return [points[index] for index in sorted(kept) if index < len(points)]


def baseline_traces(baselines: Sequence[BaselineState], *, until: int) -> list[dict[str, Any]]:
    """A dashed level line for each scored baseline, from 0 to ``until`` trials."""
    traces = []
    for index, baseline in enumerate(baselines):
        if baseline.score is None:
            continue
        colour, dash = BASELINE_STYLES[index % len(BASELINE_STYLES)]
        trace = go.Scatter(
            x=[0, until],
            y=[baseline.score, baseline.score],
            mode="lines",
            name=baseline.label,
            meta=f"baseline:{baseline.name}",
            line={"color": colour, "dash": dash, "width": 1.5},
            hovertemplate=f"{baseline.label}: %{{y:.4f}}<extra></extra>",
        )
        traces.append(trace.to_plotly_json())
    return traces


def reward_figure(curve: RewardCurve, baselines: Sequence[BaselineState], *, objective: str, planned: int) -> dict[str, Any]:
    """Plotly data and layout; the traces are found again by ``meta`` when the page appends to them."""
    label = metric_label(objective)
    until = max([planned, *curve.completed.x[-1:], *curve.failed.x[-1:]])
    figure = go.Figure()
    figure.add_scatter(
        **curve.completed.to_json(), mode="markers", name="Trial", meta="completed", marker={"color": BLUE, "size": 6, "opacity": 0.75},
        hovertemplate=f"Trial %{{customdata[0]}}<br>{label} %{{y:.4f}}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        **curve.best.to_json(), mode="lines", name="Best so far", meta="best", line={"color": ORANGE, "width": 2, "shape": "hv"},
        hovertemplate="Best so far %{y:.4f}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        **curve.failed.to_json(), mode="markers", name="Failed", meta="failed", yaxis="y2",
        marker={"color": VERMILLION, "symbol": "x", "size": 8},
        hovertemplate="Trial %{customdata[0]} has no score: %{customdata[1]}<extra></extra>",
    )  # fmt: skip
    for trace in baseline_traces(baselines, until=until):
        figure.add_trace(trace)
    figure.update_layout(
        xaxis={"title": {"text": "Trials, in the order they ended"}, "range": [0, until + max(1, until * 0.02)]},
        yaxis={"title": {"text": f"Validation {label}"}},
        yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
        # Keeps the reader's zoom while points are appended.
        uirevision="reward",
    )
    return figure_json(figure)
