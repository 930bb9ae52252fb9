"""Files on disk as interactions with a split: one table to be split, or a folder that is split already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gnn import sources
from gnn.errors import DataError
from gnn.interactions import Interactions
from gnn.protocol import Protocol
from gnn.sources.builder import InteractionsBuilder
from gnn.splits import PARTS, Split, predefined, split


@dataclass(frozen=True, eq=False)
class SplitInteractions:
    """Interactions and which of them train, validate and test."""

    interactions: Interactions
    split: Split


def load(path: Path, protocol: Protocol) -> SplitInteractions:
    """Read a delimited file and split it as the protocol says, or a folder of train.csv, valid.csv and test.csv.

    Raises:
        DataError: a file is missing or cannot be read, or a part of the split would be empty.
        SpaceError: the protocol does not fit the data.
    """
    if not path.is_dir():
        interactions = _read(path)
        return SplitInteractions(interactions, split(interactions, protocol))
    parts = [_read(path / f"{part}.csv") for part in PARTS]
    return SplitInteractions(_concatenate(parts), predefined([len(part) for part in parts]))


def _read(path: Path) -> Interactions:
    try:
        with path.open("rb") as file:
            mapping = sources.detect(file, path.name).mapping()
            file.seek(0)
            interactions, _ = sources.read(file, mapping, path.name)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    return interactions


def _concatenate(parts: list[Interactions]) -> Interactions:
    """One table with common vocabularies; weights and times stay only if all parts have them."""
    weighted = all(part.weight is not None for part in parts)
    timed = all(part.timestamp is not None for part in parts)
    builder = InteractionsBuilder()
    for part in parts:
        builder.add(
            part.user_ids.gather(part.user),
            part.item_ids.gather(part.item),
            pl.Series(part.weight) if weighted else None,
            pl.Series(part.timestamp) if timed else None,
        )
    return builder.build()
