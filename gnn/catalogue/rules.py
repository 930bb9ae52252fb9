"""Which architectures a search may train under its constraints, told without building them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypedDict, Unpack

import numpy as np

from gnn.catalogue.canonical import canonical
from gnn.errors import SpaceError
from gnn.memory import MIB, estimate_bytes
from gnn.parameters import parameter_count
from gnn.plan import Constraints
from gnn.settings import Settings
from gnn.space import Architecture, Choice, SearchSpace, SpaceRules

MOST_BUCKETS = 40
"""Kinds of edges a graph has at most: ten weights times four times. See gnn/graph.py."""
STARTS = 8
"""Architectures that the way down to the smallest begins from."""

Measure = Callable[[Architecture], float]


class Sizes(TypedDict, total=False):
    """Of a training graph, besides its users, items and edges; what is left out is taken as below."""

    n_buckets: int
    """Kinds of edges; ``MOST_BUCKETS``, which counts at most a few hundred parameters too many."""
    user_width: int
    """Features of a user; 0."""
    item_width: int
    """Features of an item; 0."""


@dataclass(frozen=True)
class Limit:
    """One constraint that is known before training."""

    field: str
    """Its name in :class:`~gnn.plan.Constraints`."""
    unit: str
    highest: int
    measure: Measure


def catalogue_rules(constraints: Constraints, n_users: int, n_items: int, n_edges: int, **sizes: Unpack[Sizes]) -> SpaceRules:
    """Rules of a space made of the catalogue, for a training graph of these sizes.

    Two spellings of one network share a key. Latency and training time are only known after training, so they
    refuse nothing here.
    """
    limits = known_limits(constraints, n_users, n_items, n_edges, **sizes)
    return SpaceRules(
        key=lambda architecture: canonical(architecture).key,
        admits=lambda architecture: all(limit.measure(architecture) <= limit.highest for limit in limits),
    )


def known_limits(constraints: Constraints, n_users: int, n_items: int, n_edges: int, **sizes: Unpack[Sizes]) -> list[Limit]:
    """The constraints that are set and need no training."""
    counted: Sizes = {"n_buckets": MOST_BUCKETS, **sizes}

    def parameters(architecture: Architecture) -> float:
        return parameter_count(Settings.of(architecture), n_users, n_items, **counted)

    def memory(architecture: Architecture) -> float:
        return estimate_bytes(Settings.of(architecture), n_users, n_items, n_edges, **counted) / MIB

    limits = []
    if constraints.max_parameters is not None:
        limits.append(Limit("max_parameters", "parameters", constraints.max_parameters, parameters))
    if constraints.max_memory_mib is not None:
        limits.append(Limit("max_memory_mib", "MiB of memory for training", constraints.max_memory_mib, memory))
    return limits


def check_constraints(
    space: SearchSpace, constraints: Constraints, n_users: int, n_items: int, n_edges: int, **sizes: Unpack[Sizes]
) -> None:
    """Raise SpaceError unless some architecture of ``space`` meets the constraints that need no training.

    ``field`` names the limit, and the message what the smallest architecture found has.
    """
    limits = known_limits(constraints, n_users, n_items, n_edges, **sizes)

    def excess(architecture: Architecture) -> float:
        return sum(max(0.0, limit.measure(architecture) / limit.highest - 1) for limit in limits)

    if smallest(space, excess, enough=0)[1] <= 0:
        return
    for limit in limits:
        found = smallest(space, limit.measure, enough=limit.highest)[1]
        if found > limit.highest:
            raise SpaceError(
                f"No architecture of this space has at most {limit.highest:,} {limit.unit}: the smallest has {math.ceil(found):,}. "
                "Raise the limit, or offer smaller sizes, fewer layers or other scorers.",
                field=limit.field,
            )
    both = " and ".join(f"{limit.highest:,} {limit.unit}" for limit in limits)
    raise SpaceError(
        f"No architecture of this space stays within {both} at once, though some stay within each. Raise one.", field=limits[0].field
    )


def check_within(
    architecture: Architecture, constraints: Constraints, n_users: int, n_items: int, n_edges: int, **sizes: Unpack[Sizes]
) -> None:
    """Raise SpaceError unless the architecture meets the constraints that need no training; ``field`` names the one it does not."""
    for limit in known_limits(constraints, n_users, n_items, n_edges, **sizes):
        found = limit.measure(architecture)
        if found > limit.highest:
            raise SpaceError(
                f"This architecture has {math.ceil(found):,} {limit.unit}, but the search allows {limit.highest:,}. "
                "Choose smaller sizes or fewer layers.",
                field=limit.field,
            )


def smallest(space: SearchSpace, measure: Measure, *, enough: float = -np.inf, starts: int = STARTS) -> tuple[Architecture, float]:
    """An architecture that no change of one decision makes smaller, and its measure.

    Goes down from several random architectures, one decision at a time, and keeps the lowest. Counts and sizes
    grow with each decision by itself, so this finds the smallest of all, in any space, without walking through it.

    Args:
        enough: stop as soon as this is reached.
    """
    generator = np.random.default_rng(0)
    best: tuple[Architecture, float] | None = None
    for _ in range(starts):
        found = _descend(space, space.sample(generator), measure, enough)
        if best is None or found[1] < best[1]:
            best = found
        if best[1] <= enough:
            break
    assert best is not None, "starts is at least 1"
    return best


def largest(space: SearchSpace, measure: Measure, *, starts: int = 2) -> tuple[Architecture, float]:
    """An architecture that no change of one decision makes larger, and its measure; see :func:`smallest`."""
    architecture, negative = smallest(space, lambda found: -measure(found), starts=starts)
    return architecture, -negative


def _descend(space: SearchSpace, architecture: Architecture, measure: Measure, enough: float) -> tuple[Architecture, float]:
    value, before = measure(architecture), np.inf
    while enough < value < before:
        before = value
        for decision in space.decisions:
            for choice in decision.choices if decision.name in architecture else ():
                other = changed(space, architecture.to_json(), decision.name, choice)
                smaller = measure(other)
                if smaller < value:
                    architecture, value = other, smaller
    return architecture, value


def changed(space: SearchSpace, values: Mapping[str, Choice], name: str, choice: Choice) -> Architecture:
    """The architecture of ``space`` with another choice; decisions that this makes active take their first."""
    assigned: dict[str, Choice] = {}
    for decision in space.decisions:
        if space.is_active(decision, assigned):
            assigned[decision.name] = choice if decision.name == name else values.get(decision.name, decision.choices[0])
    return Architecture.of(assigned)
