"""What happened to a trial, in order: what stands for its log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from webapp.enums import ArmName, RunState
from webapp.models import Trial, TrialRung


@dataclass(frozen=True)
class Event:
    at: datetime | None
    """None where the time was not kept."""
    text: str


def trial_events(trial: Trial) -> list[Event]:
    """Its proposal, its worker and losses, the rungs it reached, and how it ended."""
    events = [Event(trial.created_at, _("Proposed: %(arm)s.") % {"arm": ArmName(trial.arm).label})]
    if trial.same_as is not None:
        events.append(
            Event(None, _("Trial %(number)s had trained this architecture; its results are shared.") % {"number": trial.same_as.number})
        )
        return events
    if trial.started_at is not None:
        events.append(Event(trial.started_at, _("Started on worker %(worker)s.") % {"worker": trial.worker or "–"}))
    if trial.losses:
        lost = ngettext(
            "Its worker went silent once; it went on from its last checkpoint.",
            "Its workers went silent %(n)s times; it went on from its last checkpoint.",
            trial.losses,
        )
        events.append(Event(None, lost % {"n": trial.losses}))
    for rung in TrialRung.objects.filter(trial=trial).order_by("rung"):
        words = {"rung": rung.rung + 1, "epochs": rung.epochs, "reward": f"{rung.reward:.4f}"}
        events.append(Event(None, _("Reached the end of rung %(rung)s after %(epochs)s epochs with a reward of %(reward)s.") % words))
    if trial.finished_at is not None:
        ending = trial.get_ending_display() if trial.ending else trial.get_failure_display() if trial.failure else ""
        words = {"state": RunState(trial.state).label, "ending": ending}
        events.append(Event(trial.finished_at, _("%(state)s: %(ending)s.") % words if ending else _("%(state)s.") % words))
    return events
