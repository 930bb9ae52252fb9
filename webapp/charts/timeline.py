"""What each worker did when: first the bars, then the drawing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import plotly.graph_objects as go
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from webapp.charts.figures import BLUE, GREEN, ORANGE, PINK, VERMILLION, figure_json
from webapp.enums import Failure
from webapp.selectors.timeline import Kind, Span

RESOLUTION = 400
"""Parts of the whole time below which nothing can be told apart: what is shorter is drawn together."""
MOST_BARS = 1600
"""Of all workers; with many of them the parts are larger."""
WORKER_PIXELS = 34

STYLES: dict[Kind, tuple[str, str, str | Promise]] = {
    "trial": (BLUE, "", gettext_lazy("Trial")),
    "failed": (VERMILLION, "x", gettext_lazy("Failed trial")),
    "running": (ORANGE, "/", gettext_lazy("Running now")),
    "baseline": (GREEN, ".", gettext_lazy("Baseline")),
    "finalist": (PINK, "\\", gettext_lazy("Finalist")),
}
"""Colour, pattern and name: told apart without colour too."""


@dataclass(frozen=True)
class Bar:
    """Something a worker did, or ``count`` things that are too short to be told apart."""

    worker: str
    kind: Kind
    start: datetime
    end: datetime
    count: int
    words: str

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True)
class Timeline:
    workers: Sequence[str]
    bars: Sequence[Bar]

    def rows(self) -> Iterator[Sequence[Any]]:
        yield ["worker", "kind", "start", "end", "count", "what"]
        for bar in self.bars:
            times = (moment.isoformat(timespec="milliseconds") for moment in (bar.start, bar.end))
            yield [bar.worker, bar.kind, *times, bar.count, bar.words]


def timeline_data(spans: Sequence[Span], *, resolution: int = RESOLUTION) -> Timeline:
    """The bars of ``spans``, which are by their start; neighbours of one kind that are too short together are one bar."""
    if not spans:
        return Timeline([], [])
    workers = sorted({span.worker for span in spans})
    shortest = (max(span.end for span in spans) - spans[0].start) / max(1, min(resolution, MOST_BARS // len(workers)))
    bars: list[Bar] = []
    newest: dict[tuple[str, str], int] = {}
    for span in spans:
        place = newest.get((span.worker, span.kind))
        last = bars[place] if place is not None else None
        if place is not None and last is not None and span.end - last.start < shortest:
            bars[place] = replace(last, end=max(last.end, span.end), count=last.count + 1, words="")
        else:
            newest[span.worker, span.kind] = len(bars)
            bars.append(Bar(span.worker, span.kind, span.start, span.end, 1, _words(span)))
    return Timeline(workers, bars)


def _words(span: Span) -> str:
    if span.kind == "baseline":
        return span.label
    if span.kind == "finalist":
        return _("trial %(number)s, seed %(seed)s") % {"number": span.number, "seed": span.label}
    if span.kind == "failed":
        return _("trial %(number)s: %(failure)s") % {"number": span.number, "failure": Failure(span.label).label if span.label else ""}
    return _("trial %(number)s, rung %(rung)s") % {"number": span.number, "rung": span.label}


def timeline_figure(data: Timeline) -> dict[str, Any]:
    """A line for each worker, a bar for each thing it did."""
    figure = go.Figure()
    for kind, (colour, pattern, name) in STYLES.items():
        bars = [bar for bar in data.bars if bar.kind == kind]
        if bars:
            figure.add_bar(
                base=[bar.start.isoformat(timespec="milliseconds") for bar in bars],
                x=[1000 * bar.seconds for bar in bars],
                y=[bar.worker for bar in bars], orientation="h", name=str(name), meta=f"timeline:{kind}",
                customdata=[[bar.words or _("%(count)s runs") % {"count": bar.count}, f"{bar.seconds:.1f} s"] for bar in bars],
                marker={"color": colour, "pattern": {"shape": pattern, "solidity": 0.3, "fillmode": "overlay"}, "line": {"width": 0}},
                hovertemplate="%{y}<br>%{customdata[0]}<br>%{base|%H:%M:%S} UTC, %{customdata[1]}<extra></extra>",
            )  # fmt: skip
    figure.update_layout(
        barmode="overlay",
        bargap=0.25,
        height=170 + WORKER_PIXELS * len(data.workers),
        showlegend=True,
        xaxis={"type": "date", "title": {"text": _("Time, UTC")}},
        yaxis={"type": "category", "categoryorder": "array", "categoryarray": list(reversed(data.workers)), "automargin": True},
    )
    return figure_json(figure)
