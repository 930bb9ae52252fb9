"""Side tables: attributes of items and users, social edges, knowledge triples, links from items to entities."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gnn.errors import DataError
from gnn.sources.compression import Limits
from gnn.sources.mapping import Column, Decimal, TableFormat, Thousands, check_distinct
from gnn.sources.panics import panics_told
from gnn.sources.reading import DEFAULT_LIMITS, finish, open_table, stop_if_asked, take_account
from gnn.sources.rejects import MAX_EXAMPLES, Example, Reason, RejectedRows, Rejects

AttributeType = Literal["categorical", "multi", "numeric", "text"]
ATTRIBUTE_TYPES: dict[AttributeType, str] = {
    "categorical": "one of several values",
    "multi": "a list of values",
    "numeric": "a number",
    "text": "free text",
}
EDGE_COLUMNS: dict[str, tuple[str, ...]] = {
    "social": ("user", "friend"),
    "triples": ("head", "relation", "tail"),
    "item_links": ("item", "entity"),
}
"""The columns of each kind of edges, all of them needed."""
ID = "id"
"""What the column of ids is called in the table of a side table; attributes are called by their place, from ``0``."""


class Attribute(BaseModel):
    """A column that describes items or users."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: Column
    name: str = Field(min_length=1, max_length=200)
    type: AttributeType
    separator: str = Field(default="|", min_length=1, max_length=5)
    """Between the members of a list (multi only)."""
    thousands: Thousands = ""
    """What divides the thousands of its numbers (numeric only)."""


class AttributesMapping(TableFormat):
    """How a table of items or users is read."""

    kind: Literal["item_attributes", "user_attributes"]
    id: Column
    attributes: tuple[Attribute, ...] = Field(min_length=1)
    decimal: Decimal = "."

    @model_validator(mode="after")
    def _check(self) -> AttributesMapping:
        check_distinct({ID: self.id} | {attribute.name: attribute.column for attribute in self.attributes})
        if len({attribute.name for attribute in self.attributes}) < len(self.attributes):
            raise ValueError("two attributes have the same name")
        return self

    def wanted(self) -> dict[str, Column]:
        return {ID: self.id} | {str(at): attribute.column for at, attribute in enumerate(self.attributes)}

    @property
    def required(self) -> tuple[str, ...]:
        return (ID,)


class EdgesMapping(TableFormat):
    """How a table of edges is read; every field of an edge is needed."""

    kind: Literal["social", "triples", "item_links"]
    columns: dict[str, Column]

    @model_validator(mode="after")
    def _check(self) -> EdgesMapping:
        if set(self.columns) != set(EDGE_COLUMNS[self.kind]):
            raise ValueError(f"choose one column each for {', '.join(EDGE_COLUMNS[self.kind])}")
        check_distinct(self.columns)
        return self

    def wanted(self) -> dict[str, Column]:
        return dict(self.columns)

    @property
    def required(self) -> tuple[str, ...]:
        return EDGE_COLUMNS[self.kind]


SideMapping = AttributesMapping | EdgesMapping


def side_mapping(document: Any) -> SideMapping:
    """Read the mapping of a side table from parsed JSON.

    Raises:
        DataError: a setting is missing, unknown or out of range.
    """
    kind = document.get("kind") if isinstance(document, dict) else None
    if kind in EDGE_COLUMNS:
        return EdgesMapping.from_json(document)
    return AttributesMapping.from_json(document)


@dataclass(frozen=True, eq=False)
class SideTable:
    """The rows of a side table as text, without repeats."""

    mapping: SideMapping
    table: pl.DataFrame
    """A text column for each of ``mapping.wanted()``."""

    def __len__(self) -> int:
        return len(self.table)

    def to_parquet(self, file: str | Path | IO[bytes]) -> None:
        """Write the rows; the mapping is kept elsewhere."""
        self.table.write_parquet(file, compression="zstd")

    @classmethod
    def from_parquet(cls, file: str | Path | IO[bytes], mapping: SideMapping) -> SideTable:
        """Read what ``to_parquet`` wrote.

        Raises:
            DataError: it is no such table, or its columns are not those of the mapping.
        """
        try:
            table = pl.read_parquet(file)
        except pl.exceptions.PolarsError as error:
            raise DataError(f"This is not a side table written by Recsmith: {error}") from error
        if table.columns != list(mapping.wanted()):
            raise DataError(f"This side table has the columns {table.columns}, but its mapping has {list(mapping.wanted())}.")
        return cls(mapping, table)


def read_side(
    file: IO[bytes], mapping: SideMapping, filename: str, *, rejected: IO[bytes] | None = None, limits: Limits = DEFAULT_LIMITS
) -> tuple[SideTable, Rejects]:
    """Read a side table; rows without an id, or with one that an earlier row has, are rejected (edges: without a field, or repeated).

    Raises:
        DataError: as for the reading of interactions.
    """
    with panics_told(filename):
        opened = open_table(file, mapping, mapping.wanted(), filename, limits)
        rejects = Rejects(log=RejectedRows(rejected) if rejected is not None else None)
        required = list(mapping.required)
        blocks: list[pl.DataFrame] = []
        for records in opened.records:
            take_account(records, rejects)
            table = records.table
            for key in required:
                missing = table.filter(pl.col(key) == "")
                _reject(Reason.MISSING_ID, missing, opened.names[key], key, rejects)
                table = table.filter(pl.col(key) != "")
            blocks.append(table)
            stop_if_asked(mapping, rejects)
        rows = pl.concat(blocks) if blocks else pl.DataFrame(schema={"line": pl.Int64} | dict.fromkeys(mapping.wanted(), pl.String))
        first = rows.select(pl.struct(required).is_first_distinct()).to_series()
        _reject(Reason.REPEATED, rows.filter(~first), opened.names[required[0]], required[0], rejects)
        stop_if_asked(mapping, rejects)
        rows = rows.filter(first)
        rejects.rows_kept = len(rows)
        finish(rejects)
    return SideTable(mapping, rows.select(list(mapping.wanted()))), rejects


def _reject(reason: Reason, rows: pl.DataFrame, column: str, key: str, rejects: Rejects) -> None:
    if len(rows):
        shown = rows if rejects.keeps_all else rows.head(MAX_EXAMPLES)
        rejects.add(reason, len(rows), [Example(line, column, text) for line, text in shown.select("line", key).iter_rows()])
