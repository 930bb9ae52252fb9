"""A version of a model as it is served: its arrays and what answers need besides, ready before the first question."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gnn.bundle.recommend import Model
from serving.attributes import ItemAttributes
from webapp.selectors.experiments import in_treatment

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class Split:
    """An experiment that runs: some users get another version."""

    experiment: int
    salt: str
    percent: int
    treatment: Served


@dataclass(eq=False)
class Served:
    name: str
    number: int
    digest: str
    model: Model
    attributes: ItemAttributes
    lists: Array | None = None
    """Of ``serving.lists``; None until they are ranked."""
    split: Split | None = None
    """Of the promoted version, while an experiment runs."""

    def for_user(self, user: str) -> Served:
        """The version that a user gets: this one, or the treatment of an experiment."""
        split = self.split
        return split.treatment if split is not None and in_treatment(split.salt, split.percent, user) else self

    @cached_property
    def users(self) -> Array:
        """[n_users, d], memory-mapped."""
        return np.asarray(self.model.users)

    @cached_property
    def items(self) -> Array:
        """[n_items, d], memory-mapped."""
        return np.asarray(self.model.items)

    @cached_property
    def popularity(self) -> Array:
        """How many users have each item, float32 [n_items]."""
        return np.bincount(self.model.tensors["seen_items"], minlength=len(self.items)).astype(np.float32)

    def warm(self) -> None:
        """Compute what is computed once, and read the embeddings from disk, so that no question waits for it."""
        for computed in (self.model.directions, self.popularity, self.users):
            computed.sum()
        for codes in (self.model.user_codes, self.model.item_codes):
            codes.get("")
