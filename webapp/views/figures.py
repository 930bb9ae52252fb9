"""The analyses of a search: for each what it reads of the URL, what it computes and how it is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, get_args

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy

from gnn.space import Decision, SearchSpace
from webapp.charts.controllers import importance_figure, importance_rows
from webapp.charts.decisions import (
    contour_data,
    contour_figure,
    parallel_data,
    parallel_figure,
    slice_data,
    slice_figure,
)
from webapp.charts.quality import COST_LABELS, distribution_data, distribution_figure, pareto_data, pareto_figure
from webapp.charts.rungs import Rungs, rungs_figure
from webapp.charts.timeline import timeline_data, timeline_figure
from webapp.enums import ArmName
from webapp.models import Search
from webapp.selectors.analysis import (
    TOP_SHARES,
    Cost,
    Subset,
    cells,
    costed,
    decisions_ranked,
    sampled_points,
    scores_by_arm,
)
from webapp.selectors.arms import arms_at_work, rung_rows
from webapp.selectors.rounds import plan_of
from webapp.selectors.searches import reward_label
from webapp.selectors.timeline import timeline
from webapp.selectors.trials import decision_label

USUAL_AXES = 7
"""Decisions of parallel coordinates that fit a page."""


class Data(Protocol):
    def rows(self) -> Iterator[Sequence[Any]]:
        """A header, and the points as they are drawn."""


@dataclass(frozen=True)
class Control:
    """Something a reader may choose about a figure; ``options`` are (value in the URL, words)."""

    name: str
    label: str
    options: Sequence[tuple[str, str]]
    chosen: Sequence[str]
    several: bool = False


@dataclass(frozen=True)
class Drawing:
    """What a figure shows; ``figure`` is empty where there is nothing to show yet."""

    data: Data
    figure: Callable[[], dict[str, Any]]
    controls: Sequence[Control] = ()
    shown: int = 0
    total: int = 0
    """Trials drawn, of those there are."""

    @property
    def is_empty(self) -> bool:
        rows = self.data.rows()
        next(rows)
        return next(rows, None) is None


@dataclass(frozen=True)
class Figure:
    label: str | Promise
    help: str | Promise
    empty: str | Promise
    build: Callable[[Search, QueryDict], Drawing]


class Asked:
    """What a URL asks for, with the usual for what does not exist, and the controls that show it."""

    def __init__(self, search: Search, query: QueryDict) -> None:
        self.search, self.query = search, query
        self.controls: list[Control] = []
        self.label = reward_label(search)
        decisions = SearchSpace.from_json(search.space).decisions
        open_ones = [decision for decision in decisions if len(decision.choices) > 1]
        self._decisions = {decision.name: decision for decision in open_ones or decisions}
        self.ranked = decisions_ranked(list(self._decisions), search.importance)

    def one(self, name: str, label: str, options: Sequence[tuple[str, str]], usual: str) -> str:
        asked = self.query.get(name, usual)
        chosen = asked if asked in dict(options) else usual
        self.controls.append(Control(name, label, options, [chosen]))
        return chosen

    def several(self, name: str, label: str, options: Sequence[tuple[str, str]], usual: Sequence[str]) -> list[str]:
        asked = self.query.getlist(name)
        chosen = [value for value, _words in options if value in asked] or list(usual)
        self.controls.append(Control(name, label, options, chosen, several=True))
        return chosen

    def decision(self, name: str, label: str, place: int) -> Decision:
        """The decision asked for; the one at ``place`` by how much it mattered, if none is."""
        usual = self.ranked[min(place, len(self.ranked) - 1)]
        return self._decisions[self.one(name, label, [(key, decision_label(key)) for key in self._decisions], usual)]

    def decisions(self, name: str, label: str) -> list[Decision]:
        options = [(key, decision_label(key)) for key in self._decisions]
        return [self._decisions[key] for key in self.several(name, label, options, self.ranked[:USUAL_AXES])]

    def subset(self, *, top: bool = False) -> Subset:
        arms = [("", gettext("all")), *((arm.value, str(arm.label)) for arm in ArmName)]
        arm = self.one("arm", gettext("Arm"), arms, "")
        rungs = plan_of(self.search).rungs
        last = None
        if rungs is not None:
            reached = [("", gettext("any rung")), ("last", gettext("the last rung"))]
            last = rungs.count - 1 if self.one("trained", gettext("Trained up to"), reached, "") else None
        share = 100
        if top:
            shares = [
                (str(some), gettext("all") if some == 100 else gettext("the best %(share)s %%") % {"share": some}) for some in TOP_SHARES
            ]
            share = int(self.one("top", gettext("Trials"), shares, "100"))
        return Subset(arm, last, share)


def _parallel(search: Search, query: QueryDict) -> Drawing:
    asked = Asked(search, query)
    subset, decisions = asked.subset(top=True), asked.decisions("axis", gettext("Axes"))
    sample = sampled_points(search, subset, [decision.name for decision in decisions])
    data = parallel_data(sample, decisions, label=asked.label)
    return Drawing(data, lambda: parallel_figure(data), asked.controls, len(sample.points), sample.total)


def _slice(search: Search, query: QueryDict) -> Drawing:
    asked = Asked(search, query)
    decision, subset = asked.decision("decision", gettext("Decision"), 0), asked.subset()
    sample = sampled_points(search, subset, [decision.name])
    data = slice_data(sample, decision, label=asked.label)
    return Drawing(data, lambda: slice_figure(data), asked.controls, len(sample.points), sample.total)


def _contour(search: Search, query: QueryDict) -> Drawing:
    asked = Asked(search, query)
    first, second = asked.decision("first", gettext("Across"), 0), asked.decision("second", gettext("Upwards"), 1)
    best = asked.one("of", gettext("Score of the trials"), [("best", gettext("best")), ("mean", gettext("mean"))], "best") == "best"
    data = contour_data(cells(search, asked.subset(), first.name, second.name), first, second, best=best, label=asked.label)
    return Drawing(data, lambda: contour_figure(data), asked.controls)


def _pareto(search: Search, query: QueryDict) -> Drawing:
    asked = Asked(search, query)
    options = [(cost, str(COST_LABELS[cost])) for cost in get_args(Cost)]
    cost: Cost = asked.one("cost", gettext("Cost"), options, "parameters")  # type: ignore[assignment]
    data = pareto_data(costed(search, asked.subset(), cost), label=asked.label, cost_label=str(COST_LABELS[cost]))
    return Drawing(data, lambda: pareto_figure(data), asked.controls, len(data.points), data.total)


def _distribution(search: Search, query: QueryDict) -> Drawing:
    asked = Asked(search, query)
    data = distribution_data(scores_by_arm(search, asked.subset()), label=asked.label)
    return Drawing(data, lambda: distribution_figure(data), asked.controls)


@dataclass(frozen=True)
class _Importance:
    search: Search

    def rows(self) -> Iterable[Sequence[Any]]:
        return importance_rows(self.search.importance)


def _importance(search: Search, query: QueryDict) -> Drawing:
    return Drawing(_Importance(search), lambda: importance_figure(search.importance))  # type: ignore[arg-type]


def _rungs(search: Search, query: QueryDict) -> Drawing:
    arms = arms_at_work(search)
    rows = rung_rows(search, arms)
    data = Rungs([arm.name for arm in arms], rows if any(cell.reached for row in rows for cell in row.cells) else [])
    return Drawing(data, lambda: rungs_figure(data))


def _timeline(search: Search, query: QueryDict) -> Drawing:
    data = timeline_data(timeline(search))
    return Drawing(data, lambda: timeline_figure(data))


NO_SCORES = gettext_lazy("Scores appear here as trials end.")

FIGURES: dict[str, Figure] = {
    "parallel": Figure(
        gettext_lazy("Parallel coordinates"),
        gettext_lazy(
            "Each line is a trial, coloured by its score. Drag along an axis to keep the trials that pass there; drag its name to move it."
        ),
        NO_SCORES,
        _parallel,
    ),
    "importance": Figure(
        gettext_lazy("Importance"),
        gettext_lazy(
            "How much of the difference between trials each decision explains, at the end of the first rung. fANOVA looks at all trials, "
            "PED-ANOVA at what tells the best tenth from the others."
        ),
        gettext_lazy("A worker measures this when the search ends, or now if you ask for it."),
        _importance,
    ),
    "slice": Figure(
        gettext_lazy("Slice"),
        gettext_lazy("The scores of the trials that made each choice of one decision, with a box of their quartiles; the rest differs."),
        NO_SCORES,
        _slice,
    ),
    "contour": Figure(
        gettext_lazy("Two decisions"),
        gettext_lazy("The score for each pair of choices of two decisions; the number in a cell counts its trials. Few trials say little."),
        gettext_lazy("Scores appear here once trials made both decisions."),
        _contour,
    ),
    "pareto": Figure(
        gettext_lazy("Quality against cost"),
        gettext_lazy("Trials on the line are the best for their cost: no other trial is both cheaper and better (a Pareto front)."),
        gettext_lazy("No trial with a score has this cost measured. Latency is measured where the search limits it or weighs it."),
        _pareto,
    ),
    "distribution": Figure(
        gettext_lazy("Distribution"),
        gettext_lazy(
            "For each arm the share of its trials that score no more than a value (an empirical distribution function). "
            "A curve further to the right is better everywhere."
        ),
        NO_SCORES,
        _distribution,
    ),
    "rungs": Figure(
        gettext_lazy("Rungs"),
        gettext_lazy("Trials that reached the end of each rung. The best of a rung go on to the next, with more epochs or more data."),
        gettext_lazy("No trial has reached the end of a rung; a search without rungs trains every trial to its end."),
        _rungs,
    ),
    "timeline": Figure(
        gettext_lazy("Timeline"),
        gettext_lazy("What each worker did when. What is too short to be told apart is drawn as one bar. Zoom by dragging."),
        gettext_lazy("Workers appear here as the first baselines and trials end."),
        _timeline,
    ),
}  # fmt: skip
"""Every analysis by its name in the URL."""
