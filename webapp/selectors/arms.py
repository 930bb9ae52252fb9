"""What the arms of a search have spent and reached, and what its controller believed on the way."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Max

from gnn.protocol import Protocol
from webapp.enums import ArmName
from webapp.models import Arm, ControllerReport, Search, TrialRung
from webapp.selectors.rounds import plan_of

REPORTS_SHOWN = 100
"""A search that was extended may have written more."""
MOST_COMPARED = 500
"""Newest trials of which the critic's part is told."""
FEWEST_COMPARED = 10
"""Of either kind, below which nothing is said of the difference."""
NORMAL_95 = 1.96
"""Standard errors to either side of a mean."""


@dataclass(frozen=True)
class RungCell:
    """Trials of one arm that reached the end of a rung, the best reward there, and how many of them reached that of the next."""

    reached: int
    best: float | None
    went_on: int | None = None
    """None at the last rung."""


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
    found = {(arm, rung): (reached, best) for arm, rung, reached, best in counted}
    ends = rungs.epochs(Protocol.from_json(search.protocol).max_epochs)

    def cell(arm: str, rung: int) -> RungCell:
        reached, best = found.get((arm, rung), (0, None))
        return RungCell(reached, best, None if rung + 1 == len(ends) else found.get((arm, rung + 1), (0, None))[0])

    return [
        RungRow(
            number=rung + 1,
            end=f"{epochs} epochs" if rungs.by == "epochs" else f"{100 * rungs.share(rung):.3g} % of the data",
            cells=[cell(arm.name, rung) for arm in arms],
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


@dataclass(frozen=True)
class CriticEffect:
    """(Trial, reward at the first rung) of the newest architectures that the critic chose, and of those that the policy drew."""

    chosen: Sequence[tuple[int, float]]
    drawn: Sequence[tuple[int, float]]

    def difference(self) -> tuple[float, float, float] | None:
        """What the critic adds to the mean reward, with a 95 % interval (Welch, normal approximation); None while either is too few.

        Draws of before its first choice are left out: the policy knew less then.
        """
        chosen = [reward for _number, reward in self.chosen]
        drawn = [reward for number, reward in self.drawn if self.chosen and number > self.chosen[0][0]]
        if min(len(chosen), len(drawn)) < FEWEST_COMPARED:
            return None
        gain = statistics.fmean(chosen) - statistics.fmean(drawn)
        error = NORMAL_95 * math.sqrt(statistics.variance(chosen) / len(chosen) + statistics.variance(drawn) / len(drawn))
        return gain, gain - error, gain + error


def critic_effect(search: Search) -> CriticEffect:
    """Of the controller's trials whose proposal says who chose it."""
    rows = TrialRung.objects.filter(search=search, arm=ArmName.CONTROLLER, rung=0, trial__behaviour__has_key="by_critic")
    newest = rows.order_by("-trial__number").values_list("trial__number", "reward", "trial__behaviour__by_critic")[:MOST_COMPARED]
    points = list(reversed(newest))
    return CriticEffect(
        [(number, reward) for number, reward, by_critic in points if by_critic],
        [(number, reward) for number, reward, by_critic in points if not by_critic],
    )
