"""Rungs of trials: how far each goes, and which go on (ASHA, Li et al. 2020, arXiv 1810.05934)."""

from __future__ import annotations

from dataclasses import dataclass

from gnn.plan import SearchPlan
from gnn.protocol import Protocol


@dataclass(frozen=True)
class Rung:
    """How far a trial trains before it waits to be promoted."""

    epochs: int
    """At which it ends, unless it stops improving before."""
    share: float
    """Of the training interactions it trains on."""
    is_last: bool
    restarts: bool
    """Whether the next rung trains from the start, on more data, rather than going on."""

    @classmethod
    def of(cls, plan: SearchPlan, protocol: Protocol, number: int) -> Rung:
        """The rung of a search with that number, counted from 0."""
        if plan.rungs is None:
            return cls(protocol.max_epochs, 1.0, is_last=True, restarts=False)
        ends = plan.rungs.epochs(protocol.max_epochs)
        is_last = number == len(ends) - 1
        return cls(ends[number], plan.rungs.share(number), is_last, restarts=plan.grows_data and not is_last)

    def ends_at(self, epoch: int) -> bool:
        """Whether a trial is saved at this epoch, to go on from there if it is promoted."""
        return not self.is_last and not self.restarts and epoch == self.epochs

    def holds(self, trained: int) -> bool:
        """Whether a trial that trained so many epochs waits here; one that stopped improving before is complete."""
        return self.restarts or self.ends_at(trained)


def is_promoted(better: int, scored: int, factor: int) -> bool:
    """Whether a trial is in the best ``1 / factor`` of the trials that reached the end of its rung.

    Args:
        better: how many of them have a higher reward.
        scored: how many they are, itself included.
    """
    return better < scored // factor
