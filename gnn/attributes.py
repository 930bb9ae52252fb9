"""From the attributes of items or users to numbers: one row for each id of the interactions, float32.

Numbers are standardised over the ids that have one and clipped; where some have none, a column says which. Categories and lists
become a column for each of their most frequent values and one for all others. Nothing is hashed, so every column has a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from gnn.errors import DataError
from gnn.sources.fields import number
from gnn.sources.mapping import Decimal
from gnn.sources.side import ID, Attribute, AttributesMapping, SideTable

Matrix = np.ndarray[Any, np.dtype[np.float32]]

MAX_LEVELS = 64
"""Columns of one category or list, the one for all other values not counted."""
MAX_DEVIATIONS = 5.0
"""Standard deviations at which numbers are clipped."""
OTHER, MISSING = "other", "missing"


@dataclass(frozen=True, eq=False)
class Features:
    """Attributes as numbers."""

    matrix: Matrix
    """[n, f]; the row of an id without attributes is zero but for the columns that say so."""
    names: tuple[str, ...]
    """[f] the attribute, and after ``=`` its value."""
    coverage: float
    """Share of the ids that the table describes."""
    unknown: int
    """Rows of the table that describe none of the ids."""


def features(table: SideTable, ids: pl.Series) -> Features:
    """The attributes of ``ids``, in their order; text columns are left to language models (``gnn.text_features``).

    Raises:
        DataError: the table does not hold attributes.
    """
    if not isinstance(table.mapping, AttributesMapping):
        raise DataError(f"A table of {table.mapping.kind} holds no attributes.")
    joined, known = join(table, ids)
    blocks: list[Matrix] = []
    names: list[str] = []
    for at, attribute in enumerate(table.mapping.attributes):
        if attribute.type != "text":
            block, columns = _block(joined[str(at)], attribute, table.mapping.decimal)
            blocks.append(block)
            names += columns
    matrix = np.concatenate(blocks, axis=1) if blocks else np.zeros((len(ids), 0), dtype=np.float32)
    return Features(matrix, tuple(names), float(known.mean()), len(table) - int(known.sum()))


def features_of(tables: Sequence[SideTable], ids: pl.Series) -> Matrix | None:
    """The attributes of ``ids`` that all ``tables`` give, side by side, float32 [n, f]; None where f would be 0."""
    matrices = [matrix for table in tables if (matrix := features(table, ids).matrix).shape[1]]
    return np.concatenate(matrices, axis=1) if matrices else None


def join(table: SideTable, ids: pl.Series) -> tuple[pl.DataFrame, np.ndarray[Any, np.dtype[np.bool_]]]:
    """The rows of the table in the order of ``ids``, with nulls where it has none, and where it has one, [n]."""
    known = ids.is_in(table.table[ID].implode()).to_numpy()
    return ids.alias(ID).to_frame().join(table.table, on=ID, how="left", maintain_order="left"), known


def texts_of(tables: Sequence[SideTable], ids: pl.Series) -> list[str]:
    """All text attributes of each id in ``tables``, joined by line breaks; empty where there is none.

    Raises:
        DataError: no id has a text.
    """
    columns: list[pl.Series] = []
    for table in tables:
        joined, _ = join(table, ids)
        places = [str(at) for at, attribute in enumerate(_attributes(table)) if attribute.type == "text"]
        columns += [joined[place].fill_null("").str.strip_chars() for place in places]
    texts = ["\n".join(filter(None, row)) for row in zip(*columns, strict=True)]
    if not any(texts):
        raise DataError("No text describes any of these ids. Choose which columns of the table are free text, or leave texts out.")
    return texts


def _attributes(table: SideTable) -> tuple[Attribute, ...]:
    return table.mapping.attributes if isinstance(table.mapping, AttributesMapping) else ()


def _block(values: pl.Series, attribute: Attribute, decimal: Decimal) -> tuple[Matrix, list[str]]:
    if attribute.type == "numeric":
        return _numeric(number(values.fill_null(""), decimal, attribute.thousands).to_numpy(), attribute.name)
    members = values.fill_null("").str.split(attribute.separator) if attribute.type == "multi" else values.fill_null("")
    return _levels(members, attribute.name)


def _numeric(values: np.ndarray[Any, np.dtype[np.float64]], name: str) -> tuple[Matrix, list[str]]:
    there = np.isfinite(values)
    known = values[there]
    spread = float(known.std()) if len(known) else 0.0
    scaled = np.zeros(len(values), dtype=np.float32)
    if spread > 0:
        scaled[there] = np.clip((known - known.mean()) / spread, -MAX_DEVIATIONS, MAX_DEVIATIONS)
    if there.all():
        return scaled[:, None], [name]
    return np.stack([scaled, ~there], axis=1).astype(np.float32), [name, f"{name}={MISSING}"]


def _levels(values: pl.Series, name: str) -> tuple[Matrix, list[str]]:
    """A column for each frequent value, or member of a list; those equal but for surrounding blanks are one, empty ones are none."""
    rows = pl.DataFrame({"row": pl.int_range(len(values), eager=True), "level": values})
    if rows.schema["level"] != pl.String:
        rows = rows.explode("level")
    rows = rows.with_columns(pl.col("level").str.strip_chars()).filter(pl.col("level") != "").unique(maintain_order=True)
    # Equally frequent values in alphabetic order, so that the columns do not depend on the order of the rows.
    counts = rows.group_by("level").len().sort(["len", "level"], descending=[True, False])
    kept = counts["level"].head(MAX_LEVELS).to_list()
    names = [f"{name}={level}" for level in kept] + ([f"{name}={OTHER}"] if len(counts) > MAX_LEVELS else [])
    matrix = np.zeros((len(values), len(names)), dtype=np.float32)
    place = rows["level"].replace_strict(kept, list(range(len(kept))), default=len(kept), return_dtype=pl.Int64).to_numpy()
    matrix[rows["row"].to_numpy(), place] = 1
    return matrix, names
