"""From a file, or a folder whose files are the parts of a split, to interactions and their split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gnn import sources
from gnn.errors import DataError
from gnn.interactions import Interactions, concatenate, written_by_recsmith
from gnn.protocol import Protocol
from gnn.sources import Mapping
from gnn.sources.folders import look_at_folder, part_mappings
from gnn.splits import Split, split


@dataclass(frozen=True, eq=False)
class SplitInteractions:
    """Interactions and which of them train, validate and test."""

    interactions: Interactions
    split: Split


def load(path: Path, protocol: Protocol) -> SplitInteractions:
    """Read a file and split it as the protocol says, or a folder of train, valid and test files, which is split already.

    A Parquet file that Recsmith wrote, such as one a dataset's page gives, is taken as the interactions it holds.

    Raises:
        DataError: a file is missing or cannot be read, or a part of the split would be empty.
        SpaceError: the protocol does not fit the data.
    """
    if not path.is_dir():
        interactions = _read(path, None)
        return SplitInteractions(interactions, split(interactions, protocol))
    parts = look_at_folder(path).parts
    if not parts:
        raise DataError(f"The folder {path} has no files named train and test. Name the file to read.")
    interactions = concatenate([_read(file.path, how) for file, how in zip(parts, part_mappings(parts), strict=True)])
    return SplitInteractions(interactions, split(interactions, protocol.model_copy(update={"split": "predefined"})))


def _read(path: Path, mapping: Mapping | None) -> Interactions:
    try:
        with path.open("rb") as file:
            if mapping is None and written_by_recsmith(file):
                return Interactions.from_parquet(file)
            mapping = mapping or sources.detect(file, path.name).mapping()
            interactions, _ = sources.read(file, mapping, path.name)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    return interactions
