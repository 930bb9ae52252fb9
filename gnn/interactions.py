"""Interactions: who touched what, how much and when, as id vocabularies and integer arrays."""

from __future__ import annotations

from collections.abc import Sequence
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

_ARRAYS = {
    "user": np.int32,
    "item": np.int32,
    "weight": np.float32,
    "timestamp": np.int64,
    "label": np.float32,
    "behaviour": np.int32,
    "domain": np.int32,
    "propensity": np.float32,
    "position": np.int32,
    "part": np.int8,
}
_VOCABULARIES = {"user": "user_ids", "item": "item_ids", "behaviour": "behaviour_names", "domain": "domain_names"}


@dataclass(frozen=True, eq=False)
class Interactions:
    """Rows in the order of the source; a pair that occurs twice is kept twice.

    Shapes: ``n`` rows. ``user_ids[user[i]]`` is the user of row ``i`` exactly as the source wrote it.
    Everything but users and items is None when the source does not have it.
    """

    user: np.ndarray[Any, np.dtype[np.int32]]
    """[n] position in ``user_ids``."""
    item: np.ndarray[Any, np.dtype[np.int32]]
    """[n] position in ``item_ids``."""
    weight: np.ndarray[Any, np.dtype[np.float32]] | None
    """[n] finite numbers."""
    timestamp: np.ndarray[Any, np.dtype[np.int64]] | None
    """[n] seconds since 1970-01-01 UTC."""
    user_ids: pl.Series
    """[n_users] text, distinct."""
    item_ids: pl.Series
    """[n_items] text, distinct."""
    label: np.ndarray[Any, np.dtype[np.float32]] | None = None
    """[n] the outcome of an impression, from 0 (nothing came of it) to 1."""
    behaviour: np.ndarray[Any, np.dtype[np.int32]] | None = None
    """[n] position in ``behaviour_names``."""
    behaviour_names: pl.Series | None = None
    domain: np.ndarray[Any, np.dtype[np.int32]] | None = None
    """[n] position in ``domain_names``."""
    domain_names: pl.Series | None = None
    propensity: np.ndarray[Any, np.dtype[np.float32]] | None = None
    """[n] the chance that the item was shown, above 0 and at most 1."""
    position: np.ndarray[Any, np.dtype[np.int32]] | None = None
    """[n] the place where the item was shown, as the source counts."""
    part: np.ndarray[Any, np.dtype[np.int8]] | None = None
    """[n] 0 training, 1 validation, 2 test: the split that the source came with."""

    def __post_init__(self) -> None:
        for name, dtype in _ARRAYS.items():
            array = getattr(self, name)
            if array is not None and (array.dtype != dtype or array.shape != (len(self.user),)):
                raise DataError(f"{name} must be {np.dtype(dtype)} of shape ({len(self.user)},), but is {array.dtype} of {array.shape}.")
        for name, vocabulary in _VOCABULARIES.items():
            codes, ids = getattr(self, name), getattr(self, vocabulary)
            if (codes is None) != (ids is None):
                raise DataError(f"{name} and {vocabulary} go together: one of them is missing.")
            if codes is not None and len(codes) and not 0 <= codes.min() <= codes.max() < len(ids):
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

    def arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """The arrays that are there, by field name, each [n]."""
        return {name: array for name in _ARRAYS if (array := getattr(self, name)) is not None}

    def vocabularies(self) -> dict[str, pl.Series]:
        """The vocabularies that are there, by field name."""
        return {name: ids for name in _VOCABULARIES.values() if (ids := getattr(self, name)) is not None}

    def take(self, rows: np.ndarray[Any, Any]) -> Interactions:
        """The rows at these positions (or where this mask holds), without the ids that no row is left of; ids keep their order."""
        columns: dict[str, Any] = {name: array[rows] for name, array in self.arrays().items()} | self.vocabularies()
        for name, vocabulary in _VOCABULARIES.items():
            if name in columns:
                ids = columns[vocabulary]
                used = np.zeros(len(ids), dtype=bool)
                used[columns[name]] = True
                columns[name] = (np.cumsum(used, dtype=np.int32) - np.int32(1))[columns[name]]
                columns[vocabulary] = ids.filter(pl.Series(used))
        return Interactions(**(_ABSENT | columns))

    def to_parquet(self, file: str | Path | IO[bytes]) -> None:
        """Write one Parquet table that ``from_parquet`` reads back exactly.

        The columns are the arrays and the vocabularies; the shorter ones end in nulls, which Parquet stores in a few bytes.
        """
        vocabularies = self.vocabularies()
        length = max(len(self), *map(len, vocabularies.values()))
        columns = [pl.Series(name, array) for name, array in self.arrays().items()]
        columns += [ids.alias(name) for name, ids in vocabularies.items()]
        pl.DataFrame([column.extend_constant(None, length - len(column)) for column in columns]).write_parquet(file, compression="zstd")

    @classmethod
    def from_parquet(cls, file: str | Path | IO[bytes]) -> Interactions:
        """Read what ``to_parquet`` wrote.

        Raises:
            DataError: the file is not such a table.
        """
        try:
            table = pl.read_parquet(file)
            columns: dict[str, Any] = {name: table[name].drop_nulls().to_numpy() for name in _ARRAYS if name in table.columns}
            columns |= {name: table[name].drop_nulls() for name in _VOCABULARIES.values() if name in table.columns}
            return cls(**(_ABSENT | columns))
        except (pl.exceptions.PolarsError, AttributeError, TypeError) as error:
            raise DataError(f"This is not an interactions table written by Recsmith: {error}") from error


def written_by_recsmith(file: IO[bytes]) -> bool:
    """Whether the file, which is left at its start, is a table that ``Interactions.to_parquet`` wrote."""
    is_parquet = file.read(4) == b"PAR1"
    file.seek(0)
    if not is_parquet:
        return False
    try:
        columns = set(pl.read_parquet_schema(file))
    except pl.exceptions.PolarsError:  # damaged: whoever reads it says how
        return False
    finally:
        file.seek(0)
    return {"user", "item", "user_ids", "item_ids"} <= columns <= {*_ARRAYS, *_VOCABULARIES.values()}


_ABSENT: dict[str, Any] = {"weight": None, "timestamp": None}


def concatenate(tables: Sequence[Interactions]) -> Interactions:
    """One table with common vocabularies, rows in the order given; the ids of the first keep their codes.

    What not all tables have (weights, times, ...) is left out.
    """
    first = tables[0]
    names = [name for name in first.arrays() if all(getattr(table, name) is not None for table in tables)]
    columns: dict[str, Any] = {name: np.concatenate([getattr(table, name) for table in tables]) for name in names}
    for name, vocabulary in _VOCABULARIES.items():
        if name in names:
            own = [getattr(table, vocabulary) for table in tables]
            ids = pl.concat(own, rechunk=True).unique(maintain_order=True)
            places = [_places_in(ids, some) for some in own]
            columns[name] = np.concatenate([place[getattr(table, name)] for place, table in zip(places, tables, strict=True)])
            columns[vocabulary] = ids
    return Interactions(**(_ABSENT | columns))


def _places_in(ids: pl.Series, some: pl.Series) -> np.ndarray[Any, np.dtype[np.int32]]:
    """The position in ``ids`` of each of ``some``, which are all there."""
    known = pl.DataFrame({"id": ids, "place": pl.int_range(len(ids), dtype=pl.Int32, eager=True)})
    return some.alias("id").to_frame().join(known, on="id", how="left", maintain_order="left")["place"].to_numpy()


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
