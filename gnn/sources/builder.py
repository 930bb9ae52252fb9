"""Interactions out of blocks of rows: ids get their codes in order of first appearance, block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from gnn.interactions import Interactions


class Vocabulary:
    """Distinct ids and their codes."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def encode(self, ids: pl.Series) -> np.ndarray[Any, np.dtype[np.int32]]:
        """Codes of a block of ids, int32 of the same length; new ids get the next codes."""
        distinct = ids.unique(maintain_order=True)
        codes = self._codes
        block_to_all = np.fromiter((codes.setdefault(value, len(codes)) for value in distinct.to_list()), np.int32, len(distinct))
        in_block = ids.cast(pl.Enum(distinct)).to_physical().to_numpy()
        return np.take(block_to_all, in_block)

    def ids(self) -> pl.Series:
        return pl.Series(list(self._codes), dtype=pl.String)


class InteractionsBuilder:
    """Collects rows as small arrays, so that the text of only one block is in memory."""

    def __init__(self) -> None:
        self._users, self._items = Vocabulary(), Vocabulary()
        self._blocks: dict[str, list[np.ndarray[Any, Any]]] = {"user": [], "item": [], "weight": [], "timestamp": []}

    def add(self, user: pl.Series, item: pl.Series, weight: pl.Series | None, timestamp: pl.Series | None) -> None:
        """Append at least one row; every block has the same optional columns."""
        self._blocks["user"].append(self._users.encode(user))
        self._blocks["item"].append(self._items.encode(item))
        if weight is not None:
            self._blocks["weight"].append(weight.to_numpy().astype(np.float32))
        if timestamp is not None:
            self._blocks["timestamp"].append(timestamp.to_numpy().astype(np.int64))

    def build(self) -> Interactions:
        """The interactions of all blocks; at least one row must have been added."""
        arrays: dict[str, Any] = {name: np.concatenate(blocks) if blocks else None for name, blocks in self._blocks.items()}
        return Interactions(**arrays, user_ids=self._users.ids(), item_ids=self._items.ids())
