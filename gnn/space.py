"""Search spaces as data: decisions, choices, conditions and per-layer repetition.

A space is written as a short list of :class:`DecisionSpec`; a spec with ``per`` is repeated once for
each layer (``operator`` becomes ``operator.1``, ``operator.2``, ...). Controllers only see the
expanded, ordered :attr:`SearchSpace.decisions` and ask :meth:`SearchSpace.is_active` along the way,
so a decision that does not apply is masked rather than sampled and ignored.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr, ValidationError

from gnn.errors import SpaceError

SCHEMA = 1
MAX_LAYERS = 16
MAX_STATES = 20_000
"""Combinations of choices that conditions further on depend on; more would make counting the space slow."""

Choice = int | float | str


def choice_text(choice: Choice) -> str:
    """Spell a choice so that ``0`` and ``0.0``, which compare equal, read the same."""
    if isinstance(choice, str):
        return choice
    return repr(float(choice)).removesuffix(".0")


@dataclass(frozen=True)
class Architecture:
    """One choice for each active decision of a space; hashable, with a stable :attr:`key`."""

    choices: tuple[tuple[str, Choice], ...]

    @classmethod
    def of(cls, values: Mapping[str, Choice]) -> Architecture:
        return cls(tuple(values.items()))

    @cached_property
    def _by_name(self) -> dict[str, Choice]:
        return dict(self.choices)

    def __getitem__(self, name: str) -> Choice:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def get(self, name: str, default: Choice) -> Choice:
        return self._by_name.get(name, default)

    def to_json(self) -> dict[str, Choice]:
        return dict(self.choices)

    @cached_property
    def key(self) -> str:
        """16 hexadecimal digits that depend on the choices alone, not on their order."""
        text = ";".join(f"{name}={choice_text(choice)}" for name, choice in sorted(self.choices))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __str__(self) -> str:
        return " ".join(f"{name}={choice_text(choice)}" for name, choice in self.choices)


@dataclass(frozen=True)
class SpaceRules:
    """What a controller needs to know of architectures besides their choices."""

    key: Callable[[Architecture], str]
    """Equal for architectures that are the same network, spelled differently."""
    admits: Callable[[Architecture], bool]
    """Whether an architecture may be trained at all."""


PLAIN_RULES = SpaceRules(key=lambda architecture: architecture.key, admits=lambda architecture: True)
"""Every spelling is an architecture of its own, and all may be trained."""


@dataclass(frozen=True)
class Decision:
    """One expanded dimension of a space; active when every condition in ``when`` holds."""

    name: str
    choices: tuple[Choice, ...]
    when: tuple[tuple[str, tuple[Choice, ...]], ...] = ()


@dataclass(frozen=True)
class DecisionSpec:
    """A decision as a person writes it; ``per`` names the decision that counts its repetitions."""

    name: str
    choices: tuple[Choice, ...]
    per: str | None = None
    when: Mapping[str, tuple[Choice, ...]] = field(default_factory=dict)


class _SpecDocument(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
    choices: Annotated[list[StrictInt | StrictFloat | StrictStr], Field(min_length=1, max_length=64)]
    per: str | None = None
    when: dict[str, Annotated[list[StrictInt | StrictFloat | StrictStr], Field(min_length=1)]] = {}


class _SpaceDocument(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    version: Annotated[int, Field(alias="schema")]
    decisions: Annotated[list[_SpecDocument], Field(min_length=1, max_length=64)]


class SearchSpace:
    """Ordered decisions with conditions between them; knows its own exact size.

    Raises:
        SpaceError: a name is used twice, a choice is repeated or not finite, a condition names a decision or
            choice that does not come earlier, or conditions are too entangled to count.
    """

    def __init__(self, specs: Sequence[DecisionSpec]) -> None:
        if not specs:
            raise SpaceError("A search space needs at least one decision.")
        self.specs = tuple(specs)
        self._check_specs()
        self.decisions: tuple[Decision, ...] = tuple(self._expand())
        self.size = self._count()
        """The exact number of distinct architectures."""

    def _check_specs(self) -> None:
        earlier: dict[str, DecisionSpec] = {}
        for spec in self.specs:
            if spec.name in earlier:
                raise SpaceError(f"Decision '{spec.name}' appears twice.", field=spec.name)
            if not spec.choices:
                raise SpaceError(f"Decision '{spec.name}' has no choices; tick at least one.", field=spec.name)
            for choice in spec.choices:
                if isinstance(choice, float) and not math.isfinite(choice):
                    raise SpaceError(f"Decision '{spec.name}' has the choice {choice}, which is not finite.", field=spec.name)
            if len(set(spec.choices)) != len(spec.choices):
                raise SpaceError(f"Decision '{spec.name}' lists a choice twice: {list(spec.choices)}.", field=spec.name)
            if spec.per is not None:
                self._check_counter(spec, earlier)
            for parent, allowed in spec.when.items():
                self._check_condition(spec, parent, allowed, earlier)
            earlier[spec.name] = spec

    @staticmethod
    def _check_counter(spec: DecisionSpec, earlier: Mapping[str, DecisionSpec]) -> None:
        counter = earlier.get(spec.per or "")
        if counter is None or counter.per is not None:
            raise SpaceError(
                f"Decision '{spec.name}' is repeated per '{spec.per}', which is not an earlier plain decision.", field=spec.name
            )
        if not all(isinstance(choice, int) and 1 <= choice <= MAX_LAYERS for choice in counter.choices):
            raise SpaceError(
                f"Decision '{counter.name}' counts repetitions, so its choices must be whole numbers from 1 to "
                f"{MAX_LAYERS}, but are {list(counter.choices)}.",
                field=counter.name,
            )

    @staticmethod
    def _check_condition(spec: DecisionSpec, parent: str, allowed: Sequence[Choice], earlier: Mapping[str, DecisionSpec]) -> None:
        known = earlier.get(parent)
        if known is None:
            raise SpaceError(f"Decision '{spec.name}' depends on '{parent}', which is not an earlier decision.", field=spec.name)
        if known.per is not None and known.per != spec.per:
            raise SpaceError(f"Decision '{spec.name}' depends on '{parent}', which is repeated per '{known.per}'.", field=spec.name)
        if not set(allowed) & set(known.choices):
            raise SpaceError(
                f"Decision '{spec.name}' can never be active: '{parent}' offers {list(known.choices)}, none of {list(allowed)}.",
                field=spec.name,
            )

    def _expand(self) -> Iterator[Decision]:
        by_name = {spec.name: spec for spec in self.specs}
        counters_done: set[str] = set()
        for spec in self.specs:
            if spec.per is None:
                yield Decision(spec.name, spec.choices, tuple((p, tuple(a)) for p, a in spec.when.items()))
            elif spec.per not in counters_done:
                # All decisions of one layer come before those of the next, as a person would choose them.
                counters_done.add(spec.per)
                counts = [int(count) for count in by_name[spec.per].choices]
                repeated = [other for other in self.specs if other.per == spec.per]
                for layer in range(1, max(counts) + 1):
                    for other in repeated:
                        yield self._layer_decision(other, layer, [count for count in counts if count >= layer], by_name)

    @staticmethod
    def _layer_decision(spec: DecisionSpec, layer: int, counts: list[int], by_name: Mapping[str, DecisionSpec]) -> Decision:
        when: list[tuple[str, tuple[Choice, ...]]] = [(str(spec.per), tuple(counts))]
        for parent, allowed in spec.when.items():
            name = f"{parent}.{layer}" if by_name[parent].per is not None else parent
            when.append((name, tuple(allowed)))
        return Decision(f"{spec.name}.{layer}", spec.choices, tuple(when))

    @staticmethod
    def is_active(decision: Decision, assigned: Mapping[str, Choice]) -> bool:
        """Whether ``decision`` applies, given the choices made for the decisions before it."""
        return all(parent in assigned and assigned[parent] in allowed for parent, allowed in decision.when)

    def _count(self) -> int:
        last_use = {decision.name: i for i, decision in enumerate(self.decisions)}
        for i, decision in enumerate(self.decisions):
            for parent, _ in decision.when:
                last_use[parent] = max(last_use[parent], i)
        # ways[s]: how many assignments of the decisions so far leave the still needed choices s.
        ways: dict[tuple[tuple[str, Choice], ...], int] = {(): 1}
        for i, decision in enumerate(self.decisions):
            following: dict[tuple[tuple[str, Choice], ...], int] = {}
            for state, count in ways.items():
                assigned = dict(state)
                options: Sequence[Choice | None] = decision.choices if self.is_active(decision, assigned) else (None,)
                for choice in options:
                    after = assigned if choice is None else {**assigned, decision.name: choice}
                    kept = tuple((name, value) for name, value in after.items() if last_use[name] > i)
                    following[kept] = following.get(kept, 0) + count
            if len(following) > MAX_STATES:
                raise SpaceError(
                    f"Too many combinations of choices matter for what follows '{decision.name}'; let decisions depend on fewer "
                    "others, or place them nearer to what they depend on.",
                    field=decision.name,
                )
            ways = following
        return sum(ways.values())

    def sample(self, generator: np.random.Generator) -> Architecture:
        """Draw one architecture, each active decision uniformly over its choices."""
        assigned: dict[str, Choice] = {}
        for decision in self.decisions:
            if self.is_active(decision, assigned):
                assigned[decision.name] = decision.choices[int(generator.integers(len(decision.choices)))]
        return Architecture.of(assigned)

    def architecture(self, values: Mapping[str, Choice]) -> Architecture:
        """Build the architecture that ``values`` describe, in the order of the space.

        Raises:
            SpaceError: a decision is missing, unknown or not active, or its choice is not offered.
        """
        assigned: dict[str, Choice] = {}
        for decision in self.decisions:
            if not self.is_active(decision, assigned):
                continue
            if decision.name not in values:
                raise SpaceError(f"The architecture has no choice for '{decision.name}'.", field=decision.name)
            choice = values[decision.name]
            if choice not in decision.choices:
                raise SpaceError(f"'{decision.name}' is {choice!r}, but the space offers {list(decision.choices)}.", field=decision.name)
            assigned[decision.name] = choice
        extra = sorted(set(values) - set(assigned))
        if extra:
            raise SpaceError(f"The architecture decides {extra}, which this space does not have or which is not active.", field=extra[0])
        return Architecture.of(assigned)

    def __contains__(self, architecture: Architecture) -> bool:
        try:
            self.architecture(architecture.to_json())
        except SpaceError:
            return False
        return True

    def to_json(self) -> dict[str, Any]:
        decisions = []
        for spec in self.specs:
            entry: dict[str, Any] = {"name": spec.name, "choices": list(spec.choices)}
            if spec.per is not None:
                entry["per"] = spec.per
            if spec.when:
                entry["when"] = {parent: list(allowed) for parent, allowed in spec.when.items()}
            decisions.append(entry)
        return {"schema": SCHEMA, "decisions": decisions}

    @classmethod
    def from_json(cls, document: Any) -> SearchSpace:
        """Read a space from parsed JSON.

        Raises:
            SpaceError: the document has the wrong shape or version; the message names the place.
        """
        try:
            parsed = _SpaceDocument.model_validate(document)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "document"
            raise SpaceError(f"The search space is not valid at {place}: {first['msg']}.", place=first["loc"]) from error
        if parsed.version != SCHEMA:
            raise SpaceError(f"The search space has schema {parsed.version}, but this version reads {SCHEMA}.", field="schema")
        return cls(
            [
                DecisionSpec(spec.name, tuple(spec.choices), spec.per, {p: tuple(a) for p, a in spec.when.items()})
                for spec in parsed.decisions
            ]
        )

    @classmethod
    def from_text(cls, text: str) -> SearchSpace:
        """Read a space from JSON text; a syntax error names the line and column."""
        try:
            document = json.loads(text)
        except json.JSONDecodeError as error:
            raise SpaceError(f"Not JSON at line {error.lineno}, column {error.colno}: {error.msg}.") from error
        except RecursionError as error:
            raise SpaceError("Nested too deeply to be a search space.") from error
        except ValueError as error:  # a number of thousands of digits
            raise SpaceError(f"A number in it cannot be read: {error}.") from error
        return cls.from_json(document)
