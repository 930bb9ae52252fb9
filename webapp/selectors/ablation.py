"""What one choice is worth: the trials of a search that differ from a trial in that choice alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnn.catalogue.rules import changed
from gnn.space import Architecture, Choice, SearchSpace
from webapp.enums import RunState
from webapp.models import Trial
from webapp.selectors.choices import NOT_MADE, choice_table
from webapp.selectors.trials import UNSCORED

Array = np.ndarray[Any, np.dtype[Any]]

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
    table = choice_table(trial.search)
    changed_in = only_difference(table.row(trial.number), table.codes)
    decisions = {int(table.numbers[place]): table.decisions[changed_in[place]].name for place in np.flatnonzero(changed_in >= 0)}
    twins = Trial.objects.filter(search=trial.search_id, number__in=list(decisions), rung=trial.rung, same_as=None)
    own = None if trial.state in UNSCORED else trial.reward
    found = []
    for twin in twins.only("number", "state", "reward", "architecture"):
        decision = decisions[twin.number]
        others = tuple(sorted(set(trial.architecture) ^ set(twin.architecture)))
        shown = None if twin.state in UNSCORED else twin.reward
        difference = None if own is None or shown is None else shown - own
        found.append(Ablation(twin.number, twin.pk, twin.state, decision, twin.architecture[decision], others, difference))
    return sorted(found, key=lambda one: (one.difference is None, -abs(one.difference or 0.0), one.number))[:SHOWN]


def only_difference(ours: Array, theirs: Array) -> Array:
    """The one decision that both made, and made differently, or -1 where there are more, or none; [n].

    Decisions of one of the two alone follow from it, since both are architectures of one space: what is active there depends on
    earlier choices only.

    Args:
        ours: codes of an architecture's choices (see ``ChoiceTable``), [d].
        theirs: those of others, [n, d].
    """
    different = (theirs != ours) & (theirs != NOT_MADE) & (ours != NOT_MADE)
    return np.where(different.sum(axis=1) == 1, different.argmax(axis=1), -1)


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
