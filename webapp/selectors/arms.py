"""What the arms of a search have spent and reached, and what its controller believed on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Max

from gnn.protocol import Protocol
from webapp.enums import ArmName
from webapp.models import Arm, ControllerReport, Search, TrialRung
from webapp.selectors.rounds import plan_of

REPORTS_SHOWN = 100
"""A search that was extended may have written more."""


@dataclass(frozen=True)
class RungCell:
    """Trials of one arm that reached the end of a rung, and the best reward there."""

    reached: int
    best: float | None


@dataclass(frozen=True)
class RungRow:
    """One rung, counted from 1; ``cells`` are in the order of the arms."""

    number: int
    end: str
    cells: Sequence[RungCell]


def arms_at_work(search: Search) -> list[Arm]:
    """The arms that search, and that of the trials by hand once there are some; in the order of ``ArmName``, without their states."""
    rank = {str(name): place for place, name in enumerate(ArmName)}
    arms = [arm for arm in Arm.objects.filter(search=search).defer("state") if arm.name != ArmName.MANUAL or arm.proposed]
    return sorted(arms, key=lambda arm: rank[arm.name])


def rung_rows(search: Search, arms: Sequence[Arm]) -> list[RungRow]:
    """Every rung of the search's plan, the lowest first; none where trials are trained to their end at once."""
    rungs = plan_of(search).rungs
    if rungs is None:
        return []
    counted = (
        TrialRung.objects.filter(search=search).order_by().values_list("arm", "rung").annotate(reached=Count("id"), best=Max("reward"))
    )
    cells = {(arm, rung): RungCell(reached, best) for arm, rung, reached, best in counted}
    ends = rungs.epochs(Protocol.from_json(search.protocol).max_epochs)
    return [
        RungRow(
            number=rung + 1,
            end=f"{epochs} epochs" if rungs.by == "epochs" else f"{100 * rungs.share(rung):.3g} % of the data",
            cells=[cells.get((arm.name, rung), RungCell(0, None)) for arm in arms],
        )
        for rung, epochs in enumerate(ends)
    ]


def controller_reports(search: Search) -> list[ControllerReport]:
    """What the controller believed, in order: the first and the newest report and an even choice of those between."""
    told = list(ControllerReport.objects.filter(search=search).order_by("told").values_list("told", flat=True))
    if len(told) > REPORTS_SHOWN:
        step = (len(told) - 1) / (REPORTS_SHOWN - 1)
        told = [told[round(index * step)] for index in range(REPORTS_SHOWN)]
    return list(ControllerReport.objects.filter(search=search, told__in=told).order_by("told"))
