"""What is known of items besides their ids: titles to show, values to filter by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from gnn.attributes import join
from gnn.sources.side import AttributesMapping, SideTable

Codes = np.ndarray[Any, np.dtype[np.int64]]

TITLES = ("title", "name")
"""Attributes of these names are shown beside an item's id."""


@dataclass(frozen=True, eq=False)
class ItemAttributes:
    titles: Sequence[str | None] = ()
    """[n_items], or empty where no attribute is a title."""
    values: dict[str, dict[str, Codes]] = field(default_factory=dict)
    """Attribute -> value -> the items that have it, ascending."""

    @classmethod
    def of(cls, tables: Sequence[SideTable], ids: Sequence[str]) -> ItemAttributes:
        """From the tables of attributes of a dataset; free text is shown where it is a title, and not filtered by."""
        titles: Sequence[str | None] = ()
        values: dict[str, dict[str, Codes]] = {}
        for table in tables:
            if not isinstance(table.mapping, AttributesMapping):
                continue
            joined, _ = join(table, pl.Series(ids, dtype=pl.String))
            for at, attribute in enumerate(table.mapping.attributes):
                column = joined[str(at)].cast(pl.String)
                if attribute.name.lower() in TITLES and not titles:
                    titles = column.to_list()
                if attribute.type != "text":
                    members = column.str.split(attribute.separator) if attribute.type == "multi" else column
                    values.setdefault(attribute.name, _items_by_value(members))
        return cls(titles, values)


def _items_by_value(members: pl.Series) -> dict[str, Codes]:
    rows = pl.DataFrame({"code": pl.int_range(len(members), eager=True), "value": members})
    if rows.schema["value"] != pl.String:
        rows = rows.explode("value")
    rows = rows.with_columns(pl.col("value").str.strip_chars()).filter(pl.col("value") != "").unique().sort("code")
    return {str(value): part["code"].to_numpy() for (value,), part in rows.group_by("value", maintain_order=True)}
