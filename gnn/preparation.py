"""Which of the rows read become the dataset: thresholds, time window, duplicates, sample, k-core; every step shows its effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gnn.errors import DataError
from gnn.interactions import Interactions
from gnn.sources.mapping import data_error

Mask = np.ndarray[Any, np.dtype[np.bool_]]


class Preparation(BaseModel):
    """What to keep, in the order in which the steps are taken; the default keeps everything."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    positive_labels: bool = False
    """Keep only rows whose label is above 0: clicks instead of impressions."""
    behaviours: tuple[str, ...] | None = None
    """Keep only rows of these behaviours."""
    min_weight: float | None = Field(default=None, allow_inf_nan=False)
    """Keep only rows with at least this weight."""
    implicit: bool = False
    """Then forget the weights: what is kept counts the same."""
    first_time: int | None = None
    """Keep only rows from this second on (Unix time)."""
    last_time: int | None = None
    """Keep only rows up to this second, itself included."""
    duplicates: Literal["keep", "first", "last", "sum"] = "keep"
    """Of the rows of one user and item (in one part of a given split): by time, by row where there is no time; sum adds the weights up
    in the last one, each row without a weight counting 1."""
    sample: float = Field(default=1.0, gt=0, le=1)
    """Share of the users to keep, each with all rows."""
    seed: int = Field(default=2026, ge=0, lt=2**31)
    """Of the sample."""
    core: int = Field(default=1, ge=1, le=1000)
    """Every user left has at least this many different items and every item this many different users (k-core)."""
    min_per_user: int = Field(default=1, ge=1, le=10_000)
    """Then leave out users with fewer different items."""

    @model_validator(mode="after")
    def _check(self) -> Preparation:
        if self.first_time is not None and self.last_time is not None and self.first_time > self.last_time:
            raise ValueError(f"the time window ends ({self.last_time}) before it starts ({self.first_time})")
        if self.behaviours is not None and not self.behaviours:
            raise ValueError("choose at least one behaviour to keep")
        return self

    @classmethod
    def from_json(cls, document: Any) -> Preparation:
        """Read what ``to_json`` wrote; an empty document keeps everything.

        Raises:
            DataError: a setting is unknown or out of range.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise data_error("Preparation", error) from error

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json")


@dataclass(frozen=True)
class Step:
    """What is left after a step."""

    name: str
    label: str
    users: int
    items: int
    interactions: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Prepared:
    interactions: Interactions
    steps: tuple[Step, ...]
    """First the rows as read, then each step that was asked for."""


def prepare(interactions: Interactions, preparation: Preparation) -> Prepared:
    """Take the steps that ``preparation`` asks for; equal arguments give equal rows.

    Raises:
        DataError: a step needs what the data does not have, or leaves no row.
    """
    steps = [_step("read", "as read", interactions)]
    for name, label, take in _plan(preparation):
        interactions = take(interactions)
        steps.append(_step(name, label, interactions))
        if not len(interactions):
            raise DataError(
                f"Nothing is left after the preparation step “{label}”: {steps[-2].interactions:,} interactions went in. Ask for less."
            )
    return Prepared(interactions, tuple(steps))


def _plan(wanted: Preparation) -> list[tuple[str, str, Callable[[Interactions], Interactions]]]:
    plan: list[tuple[str, str, Callable[[Interactions], Interactions]]] = []
    if wanted.positive_labels:
        plan.append(("positive_labels", "label above 0", lambda data: data.take(_needed(data.label, "label") > 0)))
    if (behaviours := wanted.behaviours) is not None:
        plan.append(("behaviours", f"behaviour is {' or '.join(behaviours)}", lambda data: data.take(_of_behaviours(data, behaviours))))
    if (least := wanted.min_weight) is not None:
        plan.append(
            ("min_weight", f"weight at least {least:g}", lambda data: data.take(_needed(data.weight, "weight") >= np.float32(least)))
        )
    if wanted.implicit:
        plan.append(("implicit", "weights left out", lambda data: replace(data, weight=None)))
    if wanted.first_time is not None or wanted.last_time is not None:
        plan.append(("time_window", "in the time window", lambda data: data.take(_in_window(data, wanted))))
    if (kept := wanted.duplicates) != "keep":
        plan.append(("duplicates", f"one row of each user and item ({kept})", lambda data: _without_duplicates(data, kept)))
    if wanted.sample < 1:
        plan.append(("sample", f"{wanted.sample:.4g} of the users", lambda data: data.take(_sampled(data, wanted.sample, wanted.seed))))
    if (core := wanted.core) > 1:
        plan.append(("core", f"{core}-core", lambda data: data.take(_in_core(data, core, core))))
    if (least_items := wanted.min_per_user) > 1:
        plan.append(("min_per_user", f"users with at least {least_items} items", lambda data: data.take(_in_core(data, least_items, 1))))
    return plan


def _step(name: str, label: str, interactions: Interactions) -> Step:
    return Step(name, label, interactions.n_users, interactions.n_items, len(interactions))


def _needed(array: np.ndarray[Any, Any] | None, what: str) -> np.ndarray[Any, Any]:
    if array is None:
        raise DataError(f"This preparation needs a {what}, and no column is the {what}.")
    return array


def _of_behaviours(data: Interactions, wanted: tuple[str, ...]) -> Mask:
    codes = _needed(data.behaviour, "behaviour")
    names = [] if data.behaviour_names is None else data.behaviour_names.to_list()
    for name in wanted:
        if name not in names:
            raise DataError(f"There is no behaviour {name!r}. The behaviours are {', '.join(map(repr, names[:20]))}.")
    return np.isin(codes, [names.index(name) for name in wanted])


def _in_window(data: Interactions, wanted: Preparation) -> Mask:
    time = _needed(data.timestamp, "time")
    first = time.min(initial=0) if wanted.first_time is None else wanted.first_time
    last = time.max(initial=0) if wanted.last_time is None else wanted.last_time
    mask: Mask = (time >= first) & (time <= last)
    return mask


def _sampled(data: Interactions, share: float, seed: int) -> Mask:
    n_kept = max(1, round(share * data.n_users))
    chosen = np.zeros(data.n_users, dtype=bool)
    chosen[np.random.default_rng(seed).choice(data.n_users, n_kept, replace=False)] = True
    mask: Mask = chosen[data.user]
    return mask


def _without_duplicates(data: Interactions, kept: Literal["first", "last", "sum"]) -> Interactions:
    pair = data.user.astype(np.int64) * data.n_items + data.item
    if data.part is not None:
        pair = pair * 3 + data.part
    # Stable sorts: rows of equal time stay in the order of the file.
    order = np.arange(len(data)) if data.timestamp is None else np.argsort(data.timestamp, kind="stable")
    order = order[np.argsort(pair[order], kind="stable")]
    new = np.diff(pair[order], prepend=-1) != 0
    ends = np.append(np.flatnonzero(new)[1:], len(data)) - 1
    rows = order[new] if kept == "first" else order[ends]
    if kept == "sum":
        weight = np.ones(len(data)) if data.weight is None else data.weight.astype(np.float64)
        sums = np.add.reduceat(weight[order], np.flatnonzero(new)).astype(np.float32) if len(data) else np.zeros(0, np.float32)
        summed = np.zeros(len(data), dtype=np.float32)
        summed[rows] = sums
        if not np.isfinite(sums).all():
            raise DataError("The sum of the weights of a user and item is beyond what a 32-bit number holds.")
        data = replace(data, weight=summed)
    return data.take(np.sort(rows))


def _in_core(data: Interactions, per_user: int, per_item: int) -> Mask:
    """Rows of users with at least ``per_user`` different items and of items with ``per_item`` different users, until all left have them."""
    pairs = data.distinct_pairs()
    user, item = pairs // data.n_items, pairs % data.n_items
    users, items = np.ones(data.n_users, dtype=bool), np.ones(data.n_items, dtype=bool)
    while True:
        users &= np.bincount(user, minlength=data.n_users) >= per_user
        items &= np.bincount(item, minlength=data.n_items) >= per_item
        alive = users[user] & items[item]
        if alive.all():
            mask: Mask = users[data.user] & items[data.item]
            return mask
        user, item = user[alive], item[alive]
