"""What a worker does with the files of a dataset: read all of them, prepare the interactions, describe the result, store it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Any

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.core.files.temp import NamedTemporaryFile

from gnn import sources
from gnn.errors import DataError
from gnn.interactions import Interactions, concatenate, require_splittable
from gnn.preparation import Preparation, prepare
from gnn.profile import profile
from gnn.side_profile import describe_side
from gnn.sources import Mapping, Rejects
from gnn.sources.side import SideTable, read_side, side_mapping
from webapp.enums import FileKind
from webapp.models import Dataset, DatasetFile
from webapp.uploads import decompression_limits


def interactions_read(row: Dataset | DatasetFile, mapping: Mapping, **options: Any) -> tuple[Interactions, Rejects]:
    """The interactions of a stored file as ``mapping`` says; ``options`` are those of ``gnn.sources.read``.

    Raises:
        DataError: it cannot be read so.
        FileNotFoundError: it is no longer in storage.
    """
    with default_storage.open(row.source_blob) as file:
        return sources.read(file, mapping, row.filename, limits=decompression_limits(), **options)


@dataclass
class _Read:
    """What is known of a file that was read; its rejected rows wait in a temporary file."""

    row: Dataset | DatasetFile
    rejects: Rejects
    rejected: IO[bytes]
    side: SideTable | None = None


class Ingestion:
    """One reading of a dataset: ``run`` it, then ``store`` inside the transaction that makes the dataset READY."""

    def __init__(self, dataset: Dataset, on_rows: Callable[[int], None]) -> None:
        """``on_rows`` is told now and then how many rows are read; an exception that it raises ends the reading."""
        self._dataset, self._on_rows = dataset, on_rows
        self._temporary = ExitStack()
        self._files: list[_Read] = []
        self._rows_before = 0
        self._interactions: Interactions | None = None

    def __enter__(self) -> Ingestion:
        return self

    def __exit__(self, *_: object) -> None:
        self._temporary.close()

    def run(self) -> dict[str, Any]:
        """Read and prepare everything; the profile.

        Raises:
            DataError: a file cannot be read as its mapping says, or what is left is no dataset.
            FileNotFoundError: a file is no longer in storage.
        """
        files = list(self._dataset.files.all())
        rows: list[Dataset | DatasetFile] = [self._dataset, *(file for file in files if file.kind == FileKind.INTERACTIONS)]
        tables = [self._read(row) for row in rows]
        _require_same_division(rows, tables)
        read = concatenate(tables) if len(tables) > 1 else tables[0]
        tables.clear()
        prepared = prepare(read, Preparation.from_json(self._dataset.preparation))
        interactions = self._interactions = prepared.interactions
        require_splittable(interactions)
        rejects = Rejects.joined([(file.row.filename, file.rejects) for file in self._files])
        sides = [(file.filename, self._read_side(file)) for file in files if file.kind != FileKind.INTERACTIONS]
        return profile(interactions, rejects) | {
            "preparation": {"settings": self._dataset.preparation, "steps": [step.to_json() for step in prepared.steps]},
            "side": describe_side(sides, interactions),
            "files": [{"filename": file.row.filename, "rejects": file.rejects.to_json()} for file in self._files],
        }

    def store(self) -> str:
        """Store the side tables and rejected rows with their files; the name of the blob of the interactions."""
        assert self._interactions is not None
        for file in self._files:
            blobs = {"rejects_blob": default_storage.save("rejects", File(file.rejected)) if file.rejects.total else ""}
            if file.side is not None:
                blobs["data_blob"] = _saved("side", file.side.to_parquet)
            type(file.row).objects.filter(pk=file.row.pk).update(**blobs)
        return _saved("data", self._interactions.to_parquet)

    def _read(self, row: Dataset | DatasetFile) -> Interactions:
        rejected = self._temporary.enter_context(NamedTemporaryFile())
        interactions, rejects = interactions_read(row, Mapping.from_json(row.mapping), rejected=rejected, on_rows=self._count)
        self._rows_before += rejects.rows_read
        self._files.append(_Read(row, rejects, rejected))
        return interactions

    def _read_side(self, row: DatasetFile) -> SideTable:
        rejected = self._temporary.enter_context(NamedTemporaryFile())
        with default_storage.open(row.source_blob) as file:
            table, rejects = read_side(file, side_mapping(row.mapping), row.filename, rejected=rejected, limits=decompression_limits())
        self._files.append(_Read(row, rejects, rejected, table))
        return table

    def _count(self, rows: int) -> None:
        self._on_rows(self._rows_before + rows)


def _saved(name: str, write: Callable[[IO[bytes]], None]) -> str:
    with NamedTemporaryFile(suffix=".parquet") as table:
        write(table)
        return default_storage.save(name, File(table))


def _require_same_division(rows: list[Dataset | DatasetFile], tables: list[Interactions]) -> None:
    """Refuse files of which only some are parts of a split: what the others are, nobody said."""
    undivided = [row.filename for row, table in zip(rows, tables, strict=True) if table.part is None]
    if undivided and len(undivided) < len(tables):
        names = ", ".join(undivided)
        raise DataError(f"{names} is no part of a split, but other files are. Say for all files which part they are, or for none.")
