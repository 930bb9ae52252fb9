"""What a search has spent of each of its budgets, and when the first of them will be spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from webapp.enums import ArmName, SearchState
from webapp.models import Arm, Search
from webapp.selectors.rounds import plan_of
from webapp.selectors.searches import Progress

Unit = Literal["count", "seconds", "score"]


@dataclass(frozen=True)
class BudgetLine:
    """One budget; the search ends when the first is spent."""

    name: str
    unit: Unit
    spent: float
    limit: float

    @property
    def left(self) -> float:
        return max(0.0, self.limit - self.spent)

    @property
    def percent(self) -> float:
        return min(100.0, max(0.0, 100 * self.spent / self.limit)) if self.limit > 0 else 100.0


def budget_lines(search: Search, progress: Progress, arms: Sequence[Arm]) -> list[BudgetLine]:
    """The trials first, then every budget that the search has."""
    budget, own = plan_of(search).budget, _own(arms)
    spent: list[tuple[str, Unit, float, float | None]] = [
        ("trials", "count", progress.done, progress.planned),
        ("epochs", "count", own.epochs if own else 0, budget.epochs),
        ("seconds", "seconds", progress.elapsed, budget.seconds),
        ("worker_seconds", "seconds", sum(arm.seconds for arm in arms), budget.worker_seconds),
        ("stale_trials", "count", own.stale if own else 0, budget.stale_trials),
        ("target", "score", (own.best_reward or 0.0) if own else 0.0, budget.target),
    ]
    return [BudgetLine(name, unit, float(done), float(limit)) for name, unit, done, limit in spent if limit is not None]


def seconds_left(search: Search, progress: Progress, arms: Sequence[Arm]) -> float | None:
    """Until the trials or a budget of epochs or time are spent, whichever comes first at the present pace; None while nobody can tell."""
    if search.state != SearchState.RUNNING:
        return None
    lines = {line.name: line for line in budget_lines(search, progress, arms)}
    workers, own = max(1, progress.running), _own(arms)
    ends = [] if progress.eta is None else [progress.eta]
    if "seconds" in lines:
        ends.append(lines["seconds"].left)
    if "worker_seconds" in lines:
        ends.append(lines["worker_seconds"].left / workers)
    if "epochs" in lines and own is not None and own.epochs:
        # The other arms train at the same time, as much for each epoch of the controller's as until now.
        ends.append(lines["epochs"].left * sum(arm.seconds for arm in arms) / own.epochs / workers)
    return min(ends, default=None)


def _own(arms: Sequence[Arm]) -> Arm | None:
    return next((arm for arm in arms if arm.name == ArmName.CONTROLLER), None)
