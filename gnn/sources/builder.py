"""Interactions out of blocks of rows: ids get their codes in order of first appearance, block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from gnn.interactions import Interactions
from gnn.sources.mapping import PARTS, Part

_NUMBERS = {"weight": np.float32, "timestamp": np.int64, "label": np.float32, "propensity": np.float32, "position": np.int32}
_TEXTS = {"user": "user_ids", "item": "item_ids", "behaviour": "behaviour_names", "domain": "domain_names"}


class Vocabulary:
    """Distinct ids and their codes."""

    def __init__(self) -> None:
        # A table of categories of its own, which numbers texts in order of first appearance and hashes each row once.
        self._dtype = pl.Categorical(pl.Categories.random())
        # Polars forgets the texts of categories that no series uses, so one is kept for as long as this vocabulary.
        self._holder = pl.Series([], dtype=self._dtype)
        self._ids: list[pl.Series] = []
        self._n_ids = 0

    def encode(self, ids: pl.Series) -> np.ndarray[Any, np.dtype[np.int32]]:
        """Codes of a block of ids, int32 of the same length; new ids get the next codes."""
        codes = ids.cast(self._dtype).to_physical().to_numpy().astype(np.int32)
        is_new = codes >= self._n_ids
        if is_new.any():
            new = ids.filter(pl.Series(is_new)).unique(maintain_order=True).rechunk()
            self._ids.append(new)
            self._n_ids += len(new)
        return codes

    def ids(self) -> pl.Series:
        return pl.concat(self._ids, rechunk=True).alias("")


class InteractionsBuilder:
    """Collects rows as small arrays, so that the text of only one block is in memory."""

    def __init__(self, part: Part | None = None) -> None:
        self._part = part
        self._vocabularies: dict[str, Vocabulary] = {}
        self._blocks: dict[str, list[np.ndarray[Any, Any]]] = {}

    def add(self, rows: pl.DataFrame) -> None:
        """Append at least one row; every block has the same columns, named by roles, and others, which are left out."""
        for role in rows.columns:
            if role in _TEXTS:
                codes = self._vocabularies.setdefault(role, Vocabulary()).encode(rows[role])
                self._blocks.setdefault(role, []).append(codes)
            elif role in _NUMBERS:
                self._blocks.setdefault(role, []).append(rows[role].to_numpy().astype(_NUMBERS[role]))

    def build(self) -> Interactions:
        """The interactions of all blocks; at least one row must have been added."""
        columns: dict[str, Any] = {"weight": None, "timestamp": None}
        for role in list(self._blocks):
            # Popped, so that a column is in memory twice, but never all of them.
            columns[role] = np.concatenate(self._blocks.pop(role))
        if self._part is not None:
            columns["part"] = np.full(len(columns["user"]), PARTS.index(self._part), dtype=np.int8)
        columns |= {_TEXTS[role]: vocabulary.ids() for role, vocabulary in self._vocabularies.items()}
        return Interactions(**columns)
