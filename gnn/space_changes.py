"""What is different between two search spaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gnn.space import Choice, DecisionSpec, SearchSpace, choice_text


@dataclass(frozen=True)
class DecisionChange:
    """A decision that only one of two spaces has, or that they have with different choices or conditions."""

    name: str
    before: DecisionSpec | None
    after: DecisionSpec | None

    @property
    def added(self) -> list[Choice]:
        """Choices that only the later space offers, in its order."""
        return _without(self.after, self.before)

    @property
    def removed(self) -> list[Choice]:
        """Choices that only the earlier space offers, in its order."""
        return _without(self.before, self.after)

    @property
    def reordered(self) -> bool:
        """Whether choices of both come in another order."""
        if self.before is None or self.after is None:
            return False
        common = set(map(choice_text, self.before.choices)) & set(map(choice_text, self.after.choices))
        orders = [[text for text in map(choice_text, spec.choices) if text in common] for spec in (self.before, self.after)]
        return orders[0] != orders[1]

    @property
    def condition_changed(self) -> bool:
        """Whether it applies under other conditions."""
        return self.before is not None and self.after is not None and _condition(self.before) != _condition(self.after)


def space_changes(before: SearchSpace, after: SearchSpace) -> list[DecisionChange]:
    """Every decision that differs, in the order of ``after``, with those that it lacks at the end."""
    old, new = _by_name(before), _by_name(after)
    pairs = [(name, old.get(name), spec) for name, spec in new.items()] + [
        (name, spec, None) for name, spec in old.items() if name not in new
    ]
    changes = [DecisionChange(name, one, other) for name, one, other in pairs]
    return [change for change in changes if _spelled(change.before) != _spelled(change.after)]


def moved(before: SearchSpace, after: SearchSpace) -> bool:
    """Whether decisions of both come in another order, in which a controller decides them."""
    names = [list(_by_name(space)) for space in (before, after)]
    common = set(names[0]) & set(names[1])
    return [name for name in names[0] if name in common] != [name for name in names[1] if name in common]


def _by_name(space: SearchSpace) -> Mapping[str, DecisionSpec]:
    return {spec.name: spec for spec in space.specs}


def _without(spec: DecisionSpec | None, other: DecisionSpec | None) -> list[Choice]:
    # 0 and 0.0 are one choice.
    present = set(map(choice_text, other.choices if other else ()))
    return [choice for choice in (spec.choices if spec else ()) if choice_text(choice) not in present]


def _condition(spec: DecisionSpec) -> tuple[str | None, dict[str, frozenset[str]]]:
    return spec.per, {parent: frozenset(map(choice_text, allowed)) for parent, allowed in spec.when.items()}


def _spelled(spec: DecisionSpec | None) -> tuple[list[str], tuple[str | None, dict[str, frozenset[str]]]] | None:
    return None if spec is None else (list(map(choice_text, spec.choices)), _condition(spec))
