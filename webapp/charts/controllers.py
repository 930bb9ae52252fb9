"""What a controller believed over time, how healthy its updates were, and which decisions mattered in the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gnn.catalogue import LABELS
from gnn.space import Decision, choice_text
from webapp.charts.figures import BLUE, ORANGE, figure_json
from webapp.models import ControllerReport
from webapp.selectors.trials import decision_label

DIAGNOSTICS = {
    "entropy": "Entropy of a decision, nats",
    "kl": "KL from the old policy, nats",
    "clip_fraction": "Clipped ratios, share",
    "repeat_rate": "Repeated proposals, share",
}
METHODS = {"fanova": ("fANOVA, over all trials", BLUE), "ped_anova": ("PED-ANOVA, towards the best trials", ORANGE)}
ROW_PIXELS = 22
MARGIN_PIXELS = 110


def beliefs_figure(reports: Sequence[ControllerReport], decisions: Sequence[Decision]) -> dict[str, Any]:
    """Heat map of the probability of each choice of ``decisions`` over the outcomes told; one row for each choice, the first on top."""
    rows, values = [], []
    for decision in decisions:
        layer = decision.name.partition(".")[2]
        for index, choice in enumerate(decision.choices):
            text = LABELS.get(str(choice), choice_text(choice))
            rows.append(f"Layer {layer}: {text}" if layer else text)
            values.append([report.marginals[decision.name][index] for report in reports])
    figure = go.Figure(
        go.Heatmap(
            x=[report.told for report in reports], y=rows, z=values, meta="beliefs", zmin=0, zmax=1, colorscale="Cividis", ygap=1,
            colorbar={"title": {"text": "Probability"}, "thickness": 12, "outlinewidth": 0},
            hovertemplate="%{y}<br>after %{x} outcomes<br>probability %{z:.3f}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_layout(
        height=MARGIN_PIXELS + ROW_PIXELS * len(rows),
        xaxis={"title": {"text": "Outcomes the controller was told"}},
        # The labels are names, even those that look like numbers.
        yaxis={"type": "category", "autorange": "reversed", "automargin": True, "showgrid": False},
    )
    return figure_json(figure)


def diagnostics_figure(reports: Sequence[ControllerReport]) -> dict[str, Any]:
    """One line below the other for each diagnostic that the controller reports; empty where it reports none."""
    shown = [name for name in DIAGNOSTICS if any(name in report.diagnostics for report in reports)]
    figure = go.Figure()
    if shown:
        figure = make_subplots(
            rows=len(shown), cols=1, shared_xaxes=True, vertical_spacing=0.09, subplot_titles=[DIAGNOSTICS[name] for name in shown]
        )
    for row, name in enumerate(shown, start=1):
        told = [report for report in reports if name in report.diagnostics]
        figure.add_scatter(
            x=[report.told for report in told], y=[report.diagnostics[name] for report in told], row=row, col=1,
            mode="lines+markers", name=DIAGNOSTICS[name], meta=name, showlegend=False, line={"color": BLUE, "width": 2}, marker={"size": 4},
            hovertemplate=f"{DIAGNOSTICS[name]}<br>after %{{x}} outcomes: %{{y:.4f}}<extra></extra>",
        )  # fmt: skip
    figure.update_annotations(font={"size": 12}, x=0, xanchor="left")
    if shown:
        figure.update_xaxes(title_text="Outcomes the controller was told", row=len(shown), col=1)
    figure.update_layout(height=MARGIN_PIXELS + 110 * len(shown))
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
            name=label, meta=method, marker={"color": colour},
            hovertemplate=f"%{{y}}<br>{label}: %{{x:.3f}}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        barmode="group",
        height=MARGIN_PIXELS + ROW_PIXELS * len(names) * max(1, len(methods)),
        xaxis={"title": {"text": "Share"}, "rangemode": "tozero"},
        yaxis={"type": "category", "autorange": "reversed", "automargin": True, "categoryarray": [decision_label(name) for name in names]},
    )
    return figure_json(figure)
