"""What a controller believed over time, how healthy its updates were, and which decisions mattered in the end."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from plotly.subplots import make_subplots

from gnn.catalogue import LABELS
from gnn.space import Decision, choice_text
from webapp.charts.figures import BLUE, ORANGE, figure_json
from webapp.models import ControllerReport
from webapp.selectors.arms import CriticEffect
from webapp.selectors.trials import decision_label

DIAGNOSTICS: dict[str, tuple[str | Promise, str | Promise]] = {
    "mean_advantage": (
        _lazy("Advantage, mean"),
        _lazy("How much better than expected the outcomes in the memory were. Near 0, the policy gets what it expects."),
    ),
    "advantage_std": (
        _lazy("Advantage, spread"),
        _lazy("How different the outcomes are from each other. At 0 there is nothing to tell good from bad, and nothing is learned."),
    ),
    "entropy": (
        _lazy("Entropy of a decision, nats"),
        _lazy("How undecided the policy is, on average. It should fall slowly; near 0 it draws the same architectures again and again."),
    ),
    "kl": (
        _lazy("KL from the old policy, nats"),
        _lazy("How far the policy has moved from the one that proposed the trials it learns from. PPO ends an update beyond 0.1."),
    ),
    "clip_fraction": (
        _lazy("Clipped ratios, share"),
        _lazy("How much of an update was cut off because it would have moved a probability too far. Often above 0.3, steps are too large."),
    ),
    "value_loss": (
        _lazy("Error of the value, squared"),
        _lazy("How wrong the policy's own forecast of an outcome is. It falls as the forecast gets better."),
    ),
    "repeat_rate": (
        _lazy("Repeated draws, share"),
        _lazy(
            "How often the policy draws an architecture that is known already. Above 0.5 it counts as collapsed, and is made to explore."
        ),
    ),
}
"""Name in a report -> its label, and what it says in plain words."""

METHODS = {"fanova": (_lazy("fANOVA, over all trials"), BLUE), "ped_anova": (_lazy("PED-ANOVA, towards the best trials"), ORANGE)}
ROW_PIXELS = 22
SMOOTHED = 10
"""Trials that a moving mean is of."""
MARGIN_PIXELS = 110


def beliefs_figure(reports: Sequence[ControllerReport], decisions: Sequence[Decision]) -> dict[str, Any]:
    """Heat map of the probability of each choice of ``decisions`` over the outcomes told; one row for each choice, the first on top."""
    rows, values = [], []
    for decision in decisions:
        layer = decision.name.partition(".")[2]
        for index, choice in enumerate(decision.choices):
            text = LABELS.get(str(choice), choice_text(choice))
            rows.append(_("Layer %(layer)s: %(choice)s") % {"layer": layer, "choice": text} if layer else text)
            values.append([report.marginals[decision.name][index] for report in reports])
    figure = go.Figure(
        go.Heatmap(
            x=[report.told for report in reports], y=rows, z=values, meta="beliefs", zmin=0, zmax=1, colorscale="Cividis", ygap=1,
            colorbar={"title": {"text": _("Probability")}, "thickness": 12, "outlinewidth": 0},
            hovertemplate="%{y}<br>" + _("after %(told)s outcomes") % {"told": "%{x}"} + "<br>%{z:.3f}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_layout(
        height=MARGIN_PIXELS + ROW_PIXELS * len(rows),
        xaxis={"title": {"text": _("Outcomes the controller was told")}},
        # The labels are names, even those that look like numbers.
        yaxis={"type": "category", "autorange": "reversed", "automargin": True, "showgrid": False},
    )
    return figure_json(figure)


def entropy_figure(reports: Sequence[ControllerReport], decisions: Sequence[Decision]) -> dict[str, Any]:
    """Heat map of how open each decision is over the outcomes told: the entropy of its marginal as a share of the largest."""
    open_ones = [decision for decision in decisions if len(decision.choices) > 1]
    values = [[openness(report.marginals[decision.name]) for report in reports] for decision in open_ones]
    figure = go.Figure()
    if reports and open_ones:
        figure.add_heatmap(
            x=[report.told for report in reports], y=[decision_label(decision.name) for decision in open_ones], z=values, meta="entropy",
            zmin=0, zmax=1, colorscale="Cividis", ygap=1, colorbar={"title": {"text": _("Open")}, "thickness": 12, "outlinewidth": 0},
            hovertemplate="%{y}<br>" + _("after %(told)s outcomes") % {"told": "%{x}"} + "<br>%{z:.0%}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        height=MARGIN_PIXELS + ROW_PIXELS * len(open_ones),
        xaxis={"title": {"text": _("Outcomes the controller was told")}},
        yaxis={"type": "category", "autorange": "reversed", "automargin": True, "showgrid": False},
    )
    return figure_json(figure)


def openness(probabilities: Sequence[float]) -> float | None:
    """Entropy of ``probabilities`` over that of an even choice: 1 is undecided, 0 is settled. None where the decision is ruled out."""
    if not any(probabilities):
        return None
    entropy = -sum(share * math.log(share) for share in probabilities if share > 0)
    return round(entropy / math.log(len(probabilities)), 4)


def diagnostics_shown(reports: Sequence[ControllerReport]) -> list[str]:
    """Those that some report has, in the order of ``DIAGNOSTICS``."""
    return [name for name in DIAGNOSTICS if any(name in report.diagnostics for report in reports)]


def diagnostics_figure(reports: Sequence[ControllerReport]) -> dict[str, Any]:
    """One line below the other for each diagnostic that the controller reports; empty where it reports none."""
    shown = diagnostics_shown(reports)
    figure = go.Figure()
    if shown:
        titles = [str(DIAGNOSTICS[name][0]) for name in shown]
        figure = make_subplots(rows=len(shown), cols=1, shared_xaxes=True, vertical_spacing=0.3 / len(shown), subplot_titles=titles)
    for row, name in enumerate(shown, start=1):
        told = [report for report in reports if name in report.diagnostics]
        label = str(DIAGNOSTICS[name][0])
        figure.add_scatter(
            x=[report.told for report in told], y=[report.diagnostics[name] for report in told], row=row, col=1,
            mode="lines+markers", name=label, meta=name, showlegend=False, line={"color": BLUE, "width": 2}, marker={"size": 4},
            hovertemplate=f"{label}<br>" + _("after %(told)s outcomes") % {"told": "%{x}"} + ": %{y:.4f}<extra></extra>",
        )  # fmt: skip
    figure.update_annotations(font={"size": 12}, x=0, xanchor="left")
    if shown:
        figure.update_xaxes(title_text=_("Outcomes the controller was told"), row=len(shown), col=1)
    figure.update_layout(height=MARGIN_PIXELS + 110 * len(shown))
    return figure_json(figure)


def critic_figure(effect: CriticEffect, *, label: str) -> dict[str, Any]:
    """The rewards of the architectures that the critic chose and of those that the policy drew, each with its moving mean."""
    figure = go.Figure()
    kinds = (
        (effect.chosen, _("Chosen by the critic"), BLUE, "circle", "solid"),
        (effect.drawn, _("First draw of the policy"), ORANGE, "diamond-open", "dash"),
    )
    for points, name, colour, symbol, dash in kinds:
        numbers, rewards = [number for number, _reward in points], [reward for _number, reward in points]
        means = [sum(some) / len(some) for index in range(len(rewards)) if (some := rewards[max(0, index + 1 - SMOOTHED) : index + 1])]
        figure.add_scatter(
            x=numbers, y=rewards, mode="markers", name=name, legendgroup=name, meta=f"critic:{name}",
            hovertemplate="%{y:.4f}<extra></extra>",
            marker={"color": colour, "symbol": symbol, "size": 5, "opacity": 0.6},
        )  # fmt: skip
        figure.add_scatter(
            x=numbers, y=means, mode="lines", name=name, legendgroup=name, showlegend=False, meta=f"critic-mean:{name}",
            line={"color": colour, "width": 2, "dash": dash}, hoverinfo="skip",
        )  # fmt: skip
    figure.update_layout(height=320, showlegend=True, xaxis={"title": {"text": _("Trial")}}, yaxis={"title": {"text": label}})
    return figure_json(figure)


def importance_rows(importance: Mapping[str, Mapping[str, float]]) -> Iterator[Sequence[Any]]:
    """A header and the shares, each method's largest first."""
    yield ["method", "decision", "share"]
    for method in METHODS:
        for name, share in sorted(importance.get(method, {}).items(), key=lambda pair: -pair[1]):
            yield [method, name, share]


def importance_figure(importance: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Bars of the share of each decision, the largest on top, beside each other for each method."""
    methods = [method for method in METHODS if importance.get(method)]
    largest = {name: max(importance[method].get(name, 0.0) for method in methods) for method in methods for name in importance[method]}
    names = sorted(largest, key=lambda name: (-largest[name], name))
    figure = go.Figure()
    for method in methods:
        label, colour = METHODS[method]
        measured = [name for name in names if name in importance[method]]
        figure.add_bar(
            x=[importance[method][name] for name in measured], y=[decision_label(name) for name in measured], orientation="h",
            name=str(label), meta=method, marker={"color": colour},
            hovertemplate=f"%{{y}}<br>{label}: %{{x:.3f}}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        barmode="group",
        height=MARGIN_PIXELS + ROW_PIXELS * len(names) * max(1, len(methods)),
        xaxis={"title": {"text": _("Share")}, "rangemode": "tozero"},
        yaxis={"type": "category", "autorange": "reversed", "automargin": True, "categoryarray": [decision_label(name) for name in names]},
    )
    return figure_json(figure)
