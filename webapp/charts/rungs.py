"""How many trials of each arm reached which rung: first the data, then the drawing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from django.utils.translation import gettext as _

from webapp.charts.figures import figure_json
from webapp.charts.searches import ARM_STYLES
from webapp.enums import ArmName
from webapp.selectors.arms import RungRow

PATTERNS = {ArmName.CONTROLLER: "", ArmName.RANDOM: "/", ArmName.MANUAL: "."}


@dataclass(frozen=True)
class Rungs:
    arms: Sequence[str]
    ladder: Sequence[RungRow]

    def rows(self) -> Iterator[Sequence[Any]]:
        yield ["rung", "ends at", "arm", "reached", "went on", "best reward"]
        for row in self.ladder:
            for arm, cell in zip(self.arms, row.cells, strict=True):
                yield [row.number, row.end, arm, cell.reached, cell.went_on, cell.best]


def rungs_figure(data: Rungs) -> dict[str, Any]:
    """For each rung a bar of the trials of each arm that reached its end, with the share of the first rung's."""
    figure = go.Figure()
    ends = [_("Rung %(rung)s<br>%(end)s") % {"rung": row.number, "end": row.end} for row in data.ladder]
    for place, arm in enumerate(data.arms):
        cells = [row.cells[place] for row in data.ladder]
        first, name = cells[0].reached, ArmName(arm)
        figure.add_bar(
            x=ends, y=[cell.reached for cell in cells], name=str(name.label), meta=f"rungs:{arm}",
            text=[str(cell.reached) for cell in cells], textposition="outside", cliponaxis=False,
            customdata=[[cell.reached / first if first else 0, cell.best] for cell in cells],
            marker={"color": ARM_STYLES[name][0], "pattern": {"shape": PATTERNS[name], "fillmode": "overlay", "solidity": 0.3}},
            hovertemplate="%{x}<br>%{y} (%{customdata[0]:.0%})<br>" + _("best") + " %{customdata[1]:.4f}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        barmode="group",
        height=380,
        showlegend=True,
        xaxis={"type": "category", "tickangle": 0, "automargin": True},
        yaxis={"title": {"text": _("Trials that reached its end")}},
    )
    return figure_json(figure)
