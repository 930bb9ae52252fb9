"""What the trials of a search chose, as small numbers, for questions about all of them at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np

from gnn.space import Decision, SearchSpace
from webapp.models import Search, Trial

KEPT = 16
"""Searches whose choices this process remembers: about a byte for each decision of each trial."""

NOT_MADE = -1


@dataclass(frozen=True, eq=False)
class ChoiceTable:
    """The choices of all trials of a search, in the order of their numbers."""

    decisions: tuple[Decision, ...]
    """[d], in the order of the space."""
    numbers: np.ndarray[Any, np.dtype[np.int64]]
    """[n]"""
    codes: np.ndarray[Any, np.dtype[np.int16]]
    """Which of the decision's choices was made, or ``NOT_MADE``; [n, d]."""

    def row(self, number: int) -> np.ndarray[Any, np.dtype[np.int16]]:
        """The codes of one trial, [d].

        Raises:
            KeyError: the search has no such trial.
        """
        place = int(np.searchsorted(self.numbers, number))
        if place == len(self.numbers) or self.numbers[place] != number:
            raise KeyError(number)
        codes: np.ndarray[Any, np.dtype[np.int16]] = self.codes[place]
        return codes


_tables: OrderedDict[UUID, ChoiceTable] = OrderedDict()
_lock = threading.Lock()


def choice_table(search: Search) -> ChoiceTable:
    """The choices of the trials so far, in one query for those that this process has not read before.

    A trial never changes its architecture, and numbers are given in the order in which trials become visible.
    """
    with _lock:
        known = _tables.pop(search.start_token, None)
    if known is None:
        decisions = SearchSpace.from_json(search.space).decisions
        known = ChoiceTable(tuple(decisions), np.zeros(0, np.int64), np.zeros((0, len(decisions)), np.int16))
    last = int(known.numbers[-1]) if len(known.numbers) else 0
    fresh = list(Trial.objects.filter(search=search, number__gt=last).order_by("number").values_list("number", "architecture"))
    if fresh:
        places = [{choice: place for place, choice in enumerate(decision.choices)} for decision in known.decisions]
        codes = [
            [at[made[decision.name]] if decision.name in made else NOT_MADE for decision, at in zip(known.decisions, places, strict=True)]
            for _, made in fresh
        ]
        known = ChoiceTable(
            known.decisions,
            np.append(known.numbers, [number for number, _ in fresh]),
            np.concatenate([known.codes, np.array(codes, dtype=np.int16)]),
        )
    with _lock:
        _tables[search.start_token] = known
        while len(_tables) > KEPT:
            _tables.popitem(last=False)
    return known
