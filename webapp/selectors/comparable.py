"""Which searches judge alike, so that their scores may stand beside each other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gnn.protocol import Protocol
from webapp.models import Search
from webapp.selectors.rounds import plan_of

HELD_OUT = {
    "ratio": ("valid_fraction", "test_fraction", "split_seed"),
    "leave_one_out": (),
    "temporal": ("valid_fraction", "test_fraction"),
    "k_fold": ("folds", "fold", "valid_fold", "split_seed"),
    "predefined": ("valid_fraction", "split_seed"),
}
"""The settings of a protocol that decide what validates and tests, by its split; training budgets and K do not."""


@dataclass(frozen=True)
class Judged:
    """What must be equal before two scores of the same metric may be compared."""

    dataset_id: int
    split: str
    settings: tuple[tuple[str, Any], ...]
    reward: str
    """Whether a score is of one validation part or a mean over several."""

    @property
    def key(self) -> str:
        """Twelve hexadecimal digits, for addresses."""
        text = json.dumps([self.dataset_id, self.split, self.settings, self.reward])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def judged(search: Search) -> Judged:
    protocol = Protocol.from_json(search.protocol)
    settings = tuple((name, getattr(protocol, name)) for name in HELD_OUT[protocol.split])
    return Judged(search.dataset_id, protocol.split, settings, plan_of(search).reward)


def judged_alike(searches: Iterable[Search]) -> bool:
    return len({judged(search) for search in searches}) < 2
