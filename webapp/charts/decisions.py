"""Scores by decisions: parallel coordinates, slice and contour; first the data, then the drawing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from django.utils.translation import gettext as _

from gnn.space import Decision
from webapp.charts.figures import figure_json
from webapp.charts.searches import ARM_STYLES
from webapp.enums import ArmName
from webapp.selectors.analysis import Cell, Sample
from webapp.selectors.trial_columns import choice_words
from webapp.selectors.trials import decision_label

SCALE = "Cividis"
"""Nuñez et al. 2018: the same order in grey and under every common kind of colour blindness."""
NOT_MADE = "–"
SPREAD = 0.12
"""Of the distance between two choices, to either side."""
GOLDEN = (5**0.5 - 1) / 2
"""Its multiples are spread evenly over 0 to 1."""
LONGEST_TICK = 14
"""Characters of a choice on an axis of parallel coordinates."""


@dataclass(frozen=True)
class Axis:
    """A decision of parallel coordinates: for each trial the place of its choice among ``words``."""

    label: str
    words: Sequence[str]
    places: Sequence[int]


@dataclass(frozen=True)
class Parallel:
    axes: Sequence[Axis]
    scores: Sequence[float]
    numbers: Sequence[int]
    label: str
    """Of the score."""

    def rows(self) -> Iterator[Sequence[Any]]:
        yield ["trial", *(axis.label for axis in self.axes), self.label]
        for index, number in enumerate(self.numbers):
            yield [number, *(axis.words[axis.places[index]] for axis in self.axes), self.scores[index]]


def parallel_data(sample: Sample, decisions: Sequence[Decision], *, label: str) -> Parallel:
    """Axes of ``decisions``, which the choices of the sample are of; a decision that some trial does not make has a place for that."""
    axes = []
    for index, decision in enumerate(decisions):
        made = [point.choices[index] for point in sample.points]
        places = {choice: place for place, choice in enumerate(decision.choices)}
        words = [choice_words(choice) for choice in decision.choices] + ([NOT_MADE] if None in made else [])
        axes.append(Axis(decision_label(decision.name), words, [len(places) if choice is None else places[choice] for choice in made]))
    points = sample.points
    return Parallel(axes, [point.score for point in points], [point.number for point in points], label)


def parallel_figure(data: Parallel) -> dict[str, Any]:
    """An upright axis for each decision and one for the score; each trial is a line, coloured by its score.

    Lines that meet at a choice are spread a little, evenly, so that many look different from one.
    """
    spread = [SPREAD * (2 * (number * GOLDEN % 1) - 1) for number in data.numbers]
    dimensions: list[dict[str, Any]] = [
        {
            "label": axis.label, "values": [round(place + apart, 3) for place, apart in zip(axis.places, spread, strict=True)],
            "range": [-0.2, len(axis.words) - 0.8],
            "tickvals": list(range(len(axis.words))),
            "ticktext": [word if len(word) <= LONGEST_TICK else f"{word[:LONGEST_TICK]}…" for word in axis.words],
        }
        for axis in data.axes
    ]  # fmt: skip
    figure = go.Figure()
    if data.numbers:
        dimensions.append({"label": data.label, "values": data.scores, "tickformat": ".4f"})
        colours = {
            "color": data.scores,
            "colorscale": SCALE,
            "showscale": True,
            "colorbar": {"title": {"text": data.label}, "thickness": 12},
        }
        figure.add_trace(go.Parcoords(dimensions=dimensions, line=colours, meta="parallel", labelangle=-20, labelside="top"))
    figure.update_layout(height=520)
    document = figure_json(figure)
    document["layout"]["margin"] = {"l": 60, "r": 20, "t": 110, "b": 30}
    return document


@dataclass(frozen=True)
class Slice:
    """Scores by the choice of one decision."""

    title: str
    label: str
    words: Sequence[str]
    """All choices, in the order of the space."""
    points: Sequence[tuple[int, str, str, float]]
    """Trial, arm, choice in words, score."""

    def rows(self) -> Iterator[Sequence[Any]]:
        yield ["trial", "arm", self.title, self.label]
        yield from self.points


def slice_data(sample: Sample, decision: Decision, *, label: str) -> Slice:
    words = {choice: choice_words(choice) for choice in decision.choices}
    points = [(point.number, point.arm, words[choice], point.score) for point in sample.points if (choice := point.choices[0]) is not None]
    return Slice(decision_label(decision.name), label, list(words.values()), points)


def slice_figure(data: Slice) -> dict[str, Any]:
    """For each choice the trials that made it beside a box of their quartiles; arms are told apart by colour and mark."""
    figure = go.Figure()
    for arm in ArmName:
        points = [point for point in data.points if point[1] == arm]
        if not points:
            continue
        colour, symbol, _size = ARM_STYLES[arm]
        figure.add_box(
            x=[point[2] for point in points], y=[point[3] for point in points], customdata=[[point[0]] for point in points],
            name=str(arm.label), meta=f"slice:{arm}", boxpoints="all", jitter=0.5, pointpos=0, line={"color": colour, "width": 1.2},
            fillcolor="rgba(0,0,0,0)", marker={"color": colour, "symbol": symbol, "size": 5, "opacity": 0.6},
            hovertemplate=f"{_('Trial')} %{{customdata[0]}}<br>%{{x}}<br>{data.label} %{{y:.4f}}<extra></extra>", hoveron="points",
        )  # fmt: skip
    figure.update_layout(
        boxmode="group",
        height=460,
        xaxis={"type": "category", "categoryorder": "array", "categoryarray": list(data.words), "title": {"text": data.title}},
        yaxis={"title": {"text": data.label}},
    )
    return figure_json(figure)


@dataclass(frozen=True)
class Contour:
    """Scores by the choices of two decisions; None where no trial made both."""

    titles: tuple[str, str]
    label: str
    words: tuple[Sequence[str], Sequence[str]]
    values: Sequence[Sequence[float | None]]
    """[choices of the second, choices of the first]."""
    trials: Sequence[Sequence[int]]

    def rows(self) -> Iterator[Sequence[Any]]:
        yield [*self.titles, "trials", self.label]
        for j, second in enumerate(self.words[1]):
            for i, first in enumerate(self.words[0]):
                if self.trials[j][i]:
                    yield [first, second, self.trials[j][i], self.values[j][i]]


def contour_data(found: Sequence[Cell], first: Decision, second: Decision, *, best: bool, label: str) -> Contour:
    """The best or the mean score of each pair of choices."""
    by_pair = {(cell.first, cell.second): cell for cell in found}
    grid = [[by_pair.get((i, j)) for i in first.choices] for j in second.choices]
    return Contour(
        (decision_label(first.name), decision_label(second.name)),
        label,
        ([choice_words(choice) for choice in first.choices], [choice_words(choice) for choice in second.choices]),
        [[None if cell is None else cell.best if best else cell.mean for cell in row] for row in grid],
        [[0 if cell is None else cell.trials for cell in row] for row in grid],
    )


def contour_figure(data: Contour) -> dict[str, Any]:
    """A map of the scores; choices have no distance from each other, so nothing is drawn between them."""
    figure = go.Figure(
        go.Heatmap(
            x=list(data.words[0]), y=list(data.words[1]), z=data.values, customdata=data.trials, meta="contour", colorscale=SCALE,
            xgap=2, ygap=2, hoverongaps=False, text=[[str(count) if count else "" for count in row] for row in data.trials],
            texttemplate="%{text}", colorbar={"title": {"text": data.label}, "thickness": 12, "outlinewidth": 0, "tickformat": ".4f"},
            hovertemplate=f"%{{x}}, %{{y}}<br>{data.label} %{{z:.4f}}<br>{_('Trials')}: %{{customdata}}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_layout(
        height=200 + 36 * len(data.words[1]),
        xaxis={"type": "category", "title": {"text": data.titles[0]}, "showgrid": False},
        yaxis={"type": "category", "title": {"text": data.titles[1]}, "showgrid": False, "automargin": True},
    )
    return figure_json(figure)
