"""The figures of a dataset's profile: first the data, then the drawing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import plotly.graph_objects as go

from webapp.charts.figures import BLUE, GREEN, GREY, ORANGE, figure_json
from webapp.charts.side_tables import coverage_bars, coverage_figure, size_bars, size_figure

_DAY = 86_400


@dataclass(frozen=True)
class Bars:
    x: list[Any]
    """Centres, or starts of time."""
    y: list[int]
    width: list[float] | None
    labels: list[str]
    """What the hover label says of each bar."""


@dataclass(frozen=True)
class Figure:
    name: str
    title: str
    document: dict[str, Any]

    @property
    def has_own_height(self) -> bool:
        """Whether the figure is as high as its data needs."""
        return "height" in self.document["layout"]


def tail_lines(profile: Mapping[str, Any]) -> dict[str, tuple[list[int], list[int]]]:
    """Rank and count of items and of users; counts of 0 are left out, since both axes are logarithmic."""
    lines = {}
    for kind in ("item", "user"):
        series = profile[f"{kind}_tail"]
        pairs = [(rank, count) for rank, count in zip(series["rank"], series["count"], strict=True) if count > 0]
        lines[kind] = ([rank for rank, _ in pairs], [count for _, count in pairs])
    return lines


@dataclass(frozen=True)
class Degrees:
    """How many users or items have so many interactions."""

    x: list[float]
    """The geometric mean of the bounds of each class, which are even on a logarithmic axis."""
    y: list[int]
    labels: list[str]


def degree_lines(degrees: Mapping[str, Any]) -> dict[str, Degrees]:
    """The classes of items and of users that are not empty; those without an interaction have no place on a logarithmic axis."""
    lines = {}
    for kind in ("item", "user"):
        pairs = [(low, n) for low, n in zip(degrees[kind]["low"], degrees[kind]["count"], strict=True) if low and n]
        lines[kind] = Degrees(
            [round(math.sqrt(low * (2 * low - 1)), 3) for low, _ in pairs],
            [n for _, n in pairs],
            [f"{low:,} to {2 * low - 1:,} interactions" if low > 1 else "1 interaction" for low, _ in pairs],
        )
    return lines


def weight_bars(weights: Mapping[str, Any]) -> Bars:
    """One bar for each value, or for each bin."""
    if weights["kind"] == "values":
        values = weights["value"]
        return Bars([f"{value:g}" for value in values], weights["count"], None, [f"{value:g}" for value in values])
    pairs = list(zip(weights["edges"][:-1], weights["edges"][1:], strict=True))
    return Bars(
        [(low + high) / 2 for low, high in pairs],
        weights["count"],
        [high - low for low, high in pairs],
        [f"{low:.4g} to {high:.4g}" for low, high in pairs],
    )


def time_bars(timeline: Mapping[str, Any]) -> Bars:
    """One bar for each step; widths in milliseconds, as Plotly wants them on a time axis."""
    starts = [datetime.fromtimestamp(start, UTC) for start in timeline["start"]]
    pattern = "%Y-%m-%d" if timeline["step"] >= _DAY else "%Y-%m-%d %H:%M"
    centres = [datetime.fromtimestamp(start + timeline["step"] // 2, UTC).strftime("%Y-%m-%d %H:%M:%S") for start in timeline["start"]]
    return Bars(
        centres, timeline["count"], [timeline["step"] * 1000.0] * len(starts), [f"from {start.strftime(pattern)}" for start in starts]
    )


def tail_figure(lines: Mapping[str, tuple[Sequence[int], Sequence[int]]]) -> dict[str, Any]:
    figure = go.Figure()
    for kind, colour, dash in (("item", BLUE, "solid"), ("user", ORANGE, "dash")):
        ranks, counts = lines[kind]
        figure.add_scatter(
            x=ranks, y=counts, name=f"{kind}s", mode="lines", line={"color": colour, "dash": dash},
            hovertemplate=f"{kind} number %{{x:,}}: %{{y:,}} interactions<extra></extra>",
        )  # fmt: skip
    figure.update_layout(xaxis={"title": {"text": "Rank"}, "type": "log"}, yaxis={"title": {"text": "Interactions"}, "type": "log"})
    return figure_json(figure)


def degree_figure(lines: Mapping[str, Degrees]) -> dict[str, Any]:
    figure = go.Figure()
    for kind, colour, dash, symbol in (("item", BLUE, "solid", "circle"), ("user", ORANGE, "dash", "diamond")):
        line = lines[kind]
        figure.add_scatter(
            x=line.x, y=line.y, name=f"{kind}s", mode="lines+markers", customdata=line.labels,
            line={"color": colour, "dash": dash}, marker={"symbol": symbol, "size": 7},
            hovertemplate=f"%{{y:,}} {kind}s with %{{customdata}}<extra></extra>",
        )  # fmt: skip
    axes = {"x": "Interactions (classes that double)", "y": "Users, items"}
    figure.update_layout({f"{axis}axis": {"title": {"text": title}, "type": "log"} for axis, title in axes.items()})
    return figure_json(figure)


def cold_figure(cold: Mapping[str, int], totals: Mapping[str, int]) -> dict[str, Any]:
    """Shares of users and items with fewer than ``cold["below"]`` interactions, and of the others."""
    figure = go.Figure()
    kinds, below = ("users", "items"), cold["below"]
    names = [f"{cold[kind]:,} of<br>{totals[kind]:,} {kind}" for kind in kinds]
    for name, counts, colour in (
        (f"fewer than {below} interactions", [cold[kind] for kind in kinds], ORANGE),
        (f"{below} or more", [totals[kind] - cold[kind] for kind in kinds], GREY),
    ):
        figure.add_bar(
            y=names, x=[count / totals[kind] for kind, count in zip(kinds, counts, strict=True)], orientation="h",
            name=name, customdata=[[count, kind] for kind, count in zip(kinds, counts, strict=True)],
            marker={"color": colour, "line": {"width": 0}},
            hovertemplate=f"%{{customdata[0]:,}} %{{customdata[1]}} (%{{x:.1%}}), {name}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        barmode="stack",
        bargap=0.45,
        legend_traceorder="normal",
        xaxis={"range": [0, 1], "tickformat": ".0%"},
        yaxis={"autorange": "reversed", "automargin": True},
    )
    return figure_json(figure)


def weight_figure(bars: Bars, *, log: bool) -> dict[str, Any]:
    figure = _bars(bars, GREEN)
    figure.update_layout(xaxis={"title": {"text": "Weight"}, "type": "log" if log else "category" if bars.width is None else "linear"})
    return figure_json(figure)


def time_figure(bars: Bars) -> dict[str, Any]:
    figure = _bars(bars, BLUE)
    figure.update_layout(xaxis={"type": "date"})
    return figure_json(figure)


def dataset_figures(profile: Mapping[str, Any]) -> list[Figure]:
    """All figures that the profile has data for; one written by an older version has less."""
    figures = [Figure("tail", "Long tail", tail_figure(tail_lines(profile)))]
    if degrees := profile.get("degrees"):
        figures.append(Figure("degrees", "Degree distribution", degree_figure(degree_lines(degrees))))
    if weights := profile["weights"]:
        figures.append(Figure("weights", "Weights", weight_figure(weight_bars(weights), log=weights.get("log", False))))
    if timeline := profile["timeline"]:
        figures.append(Figure("timeline", "Interactions over time", time_figure(time_bars(timeline))))
    if cold := profile.get("cold"):
        figures.append(Figure("cold", "Cold users and items", cold_figure(cold, profile)))
    if side := profile.get("side"):
        figures.append(Figure("coverage", "What the side tables describe", coverage_figure(coverage_bars(side))))
        if sizes := size_bars(side):
            figures.append(Figure("sizes", "Social and knowledge graphs", size_figure(sizes)))
    return figures


def _bars(bars: Bars, colour: str) -> go.Figure:
    figure = go.Figure()
    figure.add_bar(
        x=bars.x, y=bars.y, width=bars.width, customdata=bars.labels, marker={"color": colour, "line": {"width": 0}},
        hovertemplate="%{customdata}: %{y:,} interactions<extra></extra>",
    )  # fmt: skip
    figure.update_layout(yaxis={"title": {"text": "Interactions"}, "rangemode": "tozero"}, showlegend=False, bargap=0.08)
    return figure
