"""Interactions: who touched what, how much and when, as id vocabularies and integer arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import polars as pl

from gnn.errors import DataError

MIN_USERS = 2
MIN_ITEMS = 2
MIN_INTERACTIONS = 10
MIN_ITEMS_OF_SOME_USER = 3
"""One item each for training, validation and test."""

_ARRAYS = {"user": np.int32, "item": np.int32, "weight": np.float32, "timestamp": np.int64}


@dataclass(frozen=True, eq=False)
class Interactions:
    """Rows in the order of the source; a pair that occurs twice is kept twice.

    Shapes: ``n`` rows. ``user_ids[user[i]]`` is the user of row ``i`` exactly as the source wrote it.
    """

    user: np.ndarray[Any, np.dtype[np.int32]]
    """[n] position in ``user_ids``."""
    item: np.ndarray[Any, np.dtype[np.int32]]
    """[n] position in ``item_ids``."""
    weight: np.ndarray[Any, np.dtype[np.float32]] | None
    """[n] finite numbers, or None when the source has none."""
    timestamp: np.ndarray[Any, np.dtype[np.int64]] | None
    """[n] seconds since 1970-01-01 UTC, or None when the source has none."""
    user_ids: pl.Series
    """[n_users] text, distinct."""
    item_ids: pl.Series
    """[n_items] text, distinct."""

    def __post_init__(self) -> None:
        for name, dtype in _ARRAYS.items():
            array = getattr(self, name)
            if array is not None and (array.dtype != dtype or array.shape != (len(self.user),)):
                raise DataError(f"{name} must be {np.dtype(dtype)} of shape ({len(self.user)},), but is {array.dtype} of {array.shape}.")
        for name, ids in (("user", self.user_ids), ("item", self.item_ids)):
            codes = getattr(self, name)
            if len(codes) and not 0 <= codes.min() <= codes.max() < len(ids):
                raise DataError(f"{name} codes must be from 0 to {len(ids) - 1}, but run from {codes.min()} to {codes.max()}.")

    def __len__(self) -> int:
        return len(self.user)

    @property
    def n_users(self) -> int:
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        return len(self.item_ids)

    def distinct_pairs(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Every pair once, as ``user * n_items + item``, ascending; [number of distinct pairs]."""
        keys = np.sort(self.user.astype(np.int64) * self.n_items + self.item)  # np.unique hashes, which is slower here
        return keys[np.diff(keys, prepend=-1) > 0]

    def to_parquet(self, file: str | Path | IO[bytes]) -> None:
        """Write one Parquet table that ``from_parquet`` reads back exactly.

        The columns are the arrays and the two vocabularies; the shorter ones end in nulls, which Parquet stores in a few bytes.
        """
        length = max(len(self), self.n_users, self.n_items)
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        columns = [pl.Series(name, array) for name, array in arrays.items() if array is not None]
        columns += [self.user_ids.alias("user_ids"), self.item_ids.alias("item_ids")]
        pl.DataFrame([column.extend_constant(None, length - len(column)) for column in columns]).write_parquet(file, compression="zstd")

    @classmethod
    def from_parquet(cls, file: str | Path | IO[bytes]) -> Interactions:
        """Read what ``to_parquet`` wrote.

        Raises:
            DataError: the file is not such a table.
        """
        try:
            table = pl.read_parquet(file)
            arrays: dict[str, Any] = {name: table[name].drop_nulls().to_numpy() if name in table.columns else None for name in _ARRAYS}
            return cls(**arrays, user_ids=table["user_ids"].drop_nulls(), item_ids=table["item_ids"].drop_nulls())
        except (pl.exceptions.PolarsError, AttributeError, TypeError) as error:
            raise DataError(f"This is not an interactions table written by Recsmith: {error}") from error


def require_splittable(interactions: Interactions) -> None:
    """Refuse data that cannot be divided into training, validation and test.

    Raises:
        DataError: fewer users, items or rows than the rule asks for; the message states the rule and the counts.
    """
    rule = (
        f"A dataset needs at least {MIN_USERS} users, {MIN_ITEMS} items, {MIN_INTERACTIONS} interactions, and one user with "
        f"{MIN_ITEMS_OF_SOME_USER} different items (for training, validation and test)"
    )
    counts = f"{interactions.n_users} user(s), {interactions.n_items} item(s) and {len(interactions)} interaction(s)"
    if interactions.n_users < MIN_USERS or interactions.n_items < MIN_ITEMS or len(interactions) < MIN_INTERACTIONS:
        raise DataError(f"{rule}; this one has {counts}.")
    most = int(np.bincount(interactions.distinct_pairs() // interactions.n_items).max())
    if most < MIN_ITEMS_OF_SOME_USER:
        raise DataError(f"{rule}; this one has {counts}, and no user has more than {most} different item(s). Are user and item swapped?")
