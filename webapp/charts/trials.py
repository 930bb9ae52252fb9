"""The learning curve of a trial: first the data, then the drawing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from django.utils.translation import gettext as _

from webapp.charts.figures import BLUE, GREEN, GREY, ORANGE, PINK, SKY, VERMILLION, figure_json
from webapp.models import TrialEpoch
from webapp.selectors.searches import metric_label

MAX_EPOCHS_DRAWN = 2000

METRIC_COLOURS = (ORANGE, GREEN, PINK, SKY, VERMILLION, GREY)


def epoch_series(epochs: Sequence[TrialEpoch], metrics: Sequence[str]) -> dict[str, dict[str, list[Any]]]:
    """``loss`` and each metric as x and y columns; an epoch without a metric has no point for it."""
    series: dict[str, dict[str, list[Any]]] = {"loss": {"x": [], "y": []}} | {metric: {"x": [], "y": []} for metric in metrics}
    for epoch in epochs:
        series["loss"]["x"].append(epoch.epoch)
        series["loss"]["y"].append(epoch.loss)
        for metric in metrics:
            if metric in epoch.scores:
                series[metric]["x"].append(epoch.epoch)
                series[metric]["y"].append(epoch.scores[metric])
    return series


def thin(epochs: Sequence[TrialEpoch], limit: int = MAX_EPOCHS_DRAWN) -> list[TrialEpoch]:
    """At most ``limit`` epochs, evenly chosen, with the first and the last."""
    if len(epochs) <= limit:
        return list(epochs)
    return [epochs[round(index * (len(epochs) - 1) / (limit - 1))] for index in range(limit)]


def loss_figure(series: dict[str, dict[str, list[Any]]]) -> dict[str, Any]:
    figure = go.Figure()
    figure.add_scatter(
        **series["loss"], mode="lines", name=_("Training loss"), meta="loss", line={"color": BLUE, "width": 2},
        hovertemplate=f"{_('Epoch')} %{{x}}<br>{_('Training loss')} %{{y:.5g}}<extra></extra>",
    )  # fmt: skip
    figure.update_layout(
        xaxis={"title": {"text": _("Epoch")}, "rangemode": "tozero"}, yaxis={"title": {"text": _("Training loss")}}, showlegend=False
    )
    return figure_json(figure)


def metrics_figure(series: dict[str, dict[str, list[Any]]], *, objective: str, best_epoch: int | None) -> dict[str, Any]:
    """The validation metrics by epoch; the objective is the thick line, the best epoch a dotted upright."""
    figure = go.Figure()
    metrics = [metric for metric in series if metric != "loss"]
    for index, metric in enumerate(metrics):
        figure.add_scatter(
            **series[metric], mode="lines+markers", name=metric_label(metric), meta=metric, marker={"size": 4},
            line={"color": METRIC_COLOURS[index % len(METRIC_COLOURS)], "width": 2.6 if metric == objective else 1.3},
            hovertemplate=f"{_('Epoch')} %{{x}}<br>{metric_label(metric)} %{{y:.4f}}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        xaxis={"title": {"text": _("Epoch")}, "rangemode": "tozero"}, yaxis={"title": {"text": _("Validation")}}, showlegend=True
    )
    if best_epoch is not None:
        figure.add_vline(x=best_epoch, line={"color": GREY, "dash": "dot", "width": 1})
        figure.add_annotation(x=best_epoch, y=0, yref="paper", text=_("best"), showarrow=False, yanchor="bottom", xanchor="left")
    return figure_json(figure)
