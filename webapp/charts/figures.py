"""What all figures share: the palette and the way to JSON. Theme colours are added in the browser by charts.js."""

from __future__ import annotations

import json
from typing import Any

import plotly.graph_objects as go

# Okabe and Ito, "Color Universal Design" (2008): told apart under the common kinds of colour blindness.
BLUE = "#2f87c8"  # their #0072b2, lighter, to be readable on a dark ground too
ORANGE = "#e69f00"
GREEN = "#009e73"
PINK = "#cc79a7"
SKY = "#56b4e9"
VERMILLION = "#d55e00"
GREY = "#8a8f98"


def figure_json(figure: go.Figure) -> dict[str, Any]:
    """The figure as plain JSON values, without Plotly's built-in theme."""
    figure.update_layout(
        template=None,
        margin={"l": 64, "r": 16, "t": 30, "b": 46},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="closest",
    )
    document: dict[str, Any] = json.loads(figure.to_json())
    return document
