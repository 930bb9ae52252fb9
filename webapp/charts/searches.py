"""The reward curve of a search: first the data, then the drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go
from django.utils.translation import gettext as _

from webapp.charts.figures import BLUE, GREEN, GREY, ORANGE, PINK, SKY, VERMILLION, figure_json
from webapp.enums import ArmName
from webapp.selectors.searches import BaselineState
from webapp.selectors.searches_live import MEAN_OF, CurvePoint

BASELINE_STYLES = ((GREEN, "dash"), (PINK, "dot"), (GREY, "dashdot"), (SKY, "longdash"), (VERMILLION, "longdashdot"))

ARM_STYLES = {ArmName.CONTROLLER: (BLUE, "circle", 6), ArmName.RANDOM: (ORANGE, "diamond-open", 7), ArmName.MANUAL: (PINK, "star", 11)}
"""Colour, symbol and size of the marks of each arm: told apart without colour too."""

BEST_LINES = (ArmName.CONTROLLER, ArmName.RANDOM)
"""Arms that search, so that their best so far says something."""


@dataclass(frozen=True)
class Series:
    """Columns of one trace; ``customdata`` holds what the hover label says beside x and y."""

    x: list[int] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    customdata: list[list[Any]] = field(default_factory=list)

    def add(self, x: int, y: float, *custom: Any) -> None:
        self.x.append(x)
        self.y.append(y)
        self.customdata.append(list(custom))

    def to_json(self) -> dict[str, list[Any]]:
        return {"x": self.x, "y": self.y, "customdata": self.customdata}


@dataclass(frozen=True)
class ArmCurve:
    """The scores of one arm, its best so far and its moving mean."""

    scored: Series = field(default_factory=Series)
    best: Series = field(default_factory=Series)
    mean: Series = field(default_factory=Series)
    """Of the last scores."""


@dataclass(frozen=True)
class RewardCurve:
    """Scores in the order trials ended, by arm, and failures, which have no score."""

    arms: dict[str, ArmCurve]
    failed: Series

    def to_json(self) -> dict[str, dict[str, list[Any]]]:
        """Columns by the ``meta`` of the trace they belong to."""
        columns = {"failed": self.failed.to_json()}
        for arm, curve in self.arms.items():
            columns[f"scored:{arm}"] = curve.scored.to_json()
            if arm in BEST_LINES:
                columns[f"best:{arm}"] = curve.best.to_json()
                columns[f"mean:{arm}"] = curve.mean.to_json()
        return columns


def reward_curve(points: Sequence[CurvePoint], *, best: Mapping[str, float] | None = None) -> RewardCurve:
    """The series of ``points``; ``best`` is the best score of each arm before the first of them."""
    reached = dict(best or {})
    arms: dict[str, ArmCurve] = {}
    failed = Series()
    for point in points:
        if point.reward is None:
            failed.add(point.order, FAILED_HEIGHT, point.number, point.failure)
            continue
        curve = arms.setdefault(point.arm, ArmCurve())
        curve.scored.add(point.order, point.reward, point.number)
        reached[point.arm] = max(reached.get(point.arm, point.reward), point.reward)
        curve.best.add(point.order, reached[point.arm], point.number)
        if point.mean is not None:
            curve.mean.add(point.order, point.mean, point.number)
    return RewardCurve(arms, failed)


FAILED_HEIGHT = 0.03
"""Failures sit on the lower edge, on an axis of their own: 0 would read as a score."""


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


def arm_traces(arms: Mapping[str, ArmCurve], *, label: str) -> list[dict[str, Any]]:
    """The marks of each arm and the line of its best so far; ``label`` names the score."""
    traces = []
    for arm in ArmName:
        if arm not in arms:
            continue
        colour, symbol, size = ARM_STYLES[arm]
        marks = go.Scatter(
            **arms[arm].scored.to_json(), mode="markers", name=str(arm.label), meta=f"scored:{arm}", legendgroup=arm,
            marker={"color": colour, "symbol": symbol, "size": size, "opacity": 0.75},
            hovertemplate=_("Trial %(number)s") % {"number": "%{customdata[0]}"} + f"<br>{arm.label}<br>{label} %{{y:.4f}}<extra></extra>",
        )  # fmt: skip
        traces.append(marks.to_plotly_json())
        if arm in BEST_LINES:
            line = go.Scatter(
                **arms[arm].best.to_json(), mode="lines", name=_("%(arm)s, best so far") % {"arm": arm.label}, meta=f"best:{arm}",
                # One entry of the legend shows and hides both: a phone has no room for more.
                legendgroup=arm, showlegend=False, line={"color": colour, "width": 2, "shape": "hv"},
                hovertemplate=_("%(arm)s, best so far") % {"arm": arm.label} + " %{y:.4f}<extra></extra>",
            )  # fmt: skip
            traces.append(line.to_plotly_json())
            mean = go.Scatter(
                **arms[arm].mean.to_json(), mode="lines", name=_("%(arm)s, moving mean") % {"arm": arm.label}, meta=f"mean:{arm}",
                legendgroup=arm, showlegend=False, line={"color": colour, "width": 1.5, "dash": "dot"},
                hovertemplate=f"{arm.label}, " + _("mean of the last %(count)s") % {"count": MEAN_OF} + " %{y:.4f}<extra></extra>",
            )  # fmt: skip
            traces.append(mean.to_plotly_json())
    return traces


def new_traces(curve: RewardCurve, baselines: Sequence[BaselineState], *, label: str, until: int) -> list[dict[str, Any]]:
    """Traces that an open page may lack: those of the arms in ``curve``, without points, and the baselines; ``label`` names the score."""
    return [
        *arm_traces(dict.fromkeys(curve.arms, ArmCurve()), label=label),
        *baseline_traces(baselines, until=until),
    ]


def reward_figure(curve: RewardCurve, baselines: Sequence[BaselineState], *, label: str, planned: int) -> dict[str, Any]:
    """Plotly data and layout; the traces are found again by ``meta`` when the page appends to them; ``label`` names the score."""
    ends = [series.x[-1] for series in (curve.failed, *(arm.scored for arm in curve.arms.values())) if series.x]
    until = max([planned, *ends])
    figure = go.Figure(arm_traces(dict.fromkeys(curve.arms, ArmCurve()), label=label))
    figure.add_scatter(
        **Series().to_json(), mode="markers", name=_("Failed"), meta="failed", yaxis="y2",
        marker={"color": VERMILLION, "symbol": "x", "size": 8},
        hovertemplate=_("Trial %(number)s has no score") % {"number": "%{customdata[0]}"} + "<br>%{customdata[1]}<extra></extra>",
    )  # fmt: skip
    figure.add_traces(baseline_traces(baselines, until=until))
    figure.update_layout(
        xaxis={"title": {"text": _("Trials, in the order they ended")}, "range": [0, until + max(1, until * 0.02)]},
        yaxis={"title": {"text": _("Validation %(metric)s") % {"metric": label}}},
        yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
        # Keeps the reader's zoom while points are appended.
        uirevision="reward",
    )
    document = figure_json(figure)
    # Thousands of points are put in last: Plotly checks every value, several times, which takes longer than all else on the page.
    columns = curve.to_json()
    for trace in document["data"]:
        trace |= columns.get(trace["meta"], {})
    return document
