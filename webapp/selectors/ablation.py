"""What one choice is worth: the trials of a search that differ from a trial in that choice alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Case, F, When

from gnn.catalogue.rules import changed
from gnn.space import Architecture, Choice, SearchSpace
from webapp.enums import RunState
from webapp.models import Trial
from webapp.selectors.trials import UNSCORED

MOST_TRIALS = 20_000
"""The newest of the search among which twins are looked for."""
SHOWN = 50


@dataclass(frozen=True)
class Ablation:
    """A trial that differs from another in one choice, and in what only that choice brings or takes away."""

    number: int
    trial_id: int
    state: str
    decision: str
    choice: Choice
    others: tuple[str, ...]
    """Decisions that one of the two has alone, because of the choice."""
    difference: float | None
    """Its score less that of the trial; None where one of the two has none."""

    def get_state_display(self) -> str:
        return str(RunState(self.state).label)


def ablations(trial: Trial) -> list[Ablation]:
    """Trials of the same search and rung that differ in one choice, the largest differences first, then those without a score."""
    rows = Trial.objects.filter(search=trial.search_id, rung=trial.rung, same_as=None).exclude(pk=trial.pk).order_by("-number")
    rows = rows.annotate(shown=Case(When(state__in=UNSCORED, then=None), default=F("reward")))
    own = None if trial.state in UNSCORED else trial.reward
    found = []
    for pk, number, state, shown, architecture in rows.values_list("pk", "number", "state", "shown", "architecture")[:MOST_TRIALS]:
        decision = only_difference(trial.architecture, architecture)
        if decision is not None:
            others = tuple(sorted(set(trial.architecture) ^ set(architecture)))
            difference = None if own is None or shown is None else shown - own
            found.append(Ablation(number, pk, state, decision, architecture[decision], others, difference))
    return sorted(found, key=lambda one: (one.difference is None, -abs(one.difference or 0.0), one.number))[:SHOWN]


def only_difference(ours: Mapping[str, Choice], theirs: Mapping[str, Choice]) -> str | None:
    """The one decision that both made, and made differently; None where there are more, or none.

    Decisions of one of the two alone follow from it, since both are architectures of one space: what is active there depends on
    earlier choices only.
    """
    different = [name for name, choice in ours.items() if name in theirs and theirs[name] != choice]
    return different[0] if len(different) == 1 else None


def alternatives(space: SearchSpace, architecture: Mapping[str, Choice]) -> list[tuple[str, list[Choice]]]:
    """Each decision of the architecture that has another choice, with those."""
    rows = [
        (decision.name, [choice for choice in decision.choices if choice != architecture[decision.name]])
        for decision in space.decisions
        if decision.name in architecture
    ]
    return [(name, choices) for name, choices in rows if choices]


def varied(space: SearchSpace, architecture: Mapping[str, Choice], decision: str, place: int) -> Architecture | None:
    """The architecture with the other choice at ``place`` of ``alternatives``; None where there is no such choice.

    Decisions that become active take their first choice.
    """
    choices = dict(alternatives(space, architecture)).get(decision, [])
    return changed(space, architecture, decision, choices[place]) if 0 <= place < len(choices) else None
