"""The rates of an experiment with their intervals, both versions beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from django.utils.translation import gettext as _

from webapp.charts.figures import BLUE, ORANGE, figure_json
from webapp.enums import FeedbackKind
from webapp.selectors.experiments import ExperimentResult, Rate

STYLES = ((BLUE, "circle"), (ORANGE, "diamond"))
"""Colour and symbol of control and treatment: told apart without colour too."""

APART = 0.14
"""Between the middle of a row and each version's mark."""


def rate_labels() -> dict[FeedbackKind, str]:
    return {FeedbackKind.CLICK: _("Users who clicked"), FeedbackKind.PURCHASE: _("Users who purchased")}


def rate_series(rates: Sequence[Rate], arm: str) -> dict[str, list[float]]:
    """Percent of the users of ``control`` or ``treatment``, and how far the interval reaches above and below; without users, nothing."""
    shares = [share for rate in rates if (share := getattr(rate, arm)).value is not None]
    return {
        "x": [100 * share.value for share in shares],
        "above": [100 * (share.interval[1] - share.value) for share in shares],
        "below": [100 * (share.value - share.interval[0]) for share in shares],
    }


def rates_figure(result: ExperimentResult) -> dict[str, Any]:
    figure = go.Figure()
    labels = [rate_labels()[rate.kind] for rate in result.rates]
    arms = zip(("control", "treatment"), (result.control, result.treatment), STYLES, (-APART, APART), strict=True)
    for arm, version, (colour, symbol), shift in arms:
        series = rate_series(result.rates, arm)
        figure.add_scatter(
            x=series["x"], y=[place + shift for place in range(len(series["x"]))], mode="markers", meta=arm,
            name=_("Version %(number)s") % {"number": version.version.number},
            marker={"color": colour, "symbol": symbol, "size": 10},
            error_x={"type": "data", "array": series["above"], "arrayminus": series["below"], "color": colour, "thickness": 2},
            hovertemplate="%{x:.2f} %<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    figure.update_layout(
        xaxis={"title": {"text": _("Percent of users")}, "rangemode": "tozero"},
        yaxis={
            "automargin": True, "range": [len(labels) - 0.5, -0.5], "tickvals": list(range(len(labels))), "ticktext": labels,
            "showgrid": False, "zeroline": False,
        },
        height=230,
        showlegend=True,
    )  # fmt: skip
    return figure_json(figure)
