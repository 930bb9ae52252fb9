"""How a side table is probably to be read, from a look at its head."""

from __future__ import annotations

from collections.abc import Collection

from gnn.errors import DataError
from gnn.sources.detection import Detected
from gnn.sources.guess import Column
from gnn.sources.kinds import KIND_LABELS, Kind
from gnn.sources.names import plain_name
from gnn.sources.side import EDGE_COLUMNS, AttributeType, SideMapping, side_mapping

_FEW_LEVELS = 50
"""Up to this many different values are levels of a category."""
_TEXT_WORDS = 2
"""Values of more words on average are text."""
_RECBOLE_TYPES: dict[str, AttributeType] = {"token": "categorical", "token_seq": "multi", "float": "numeric"}


def guess_side_mapping(detected: Detected, kind: Kind, texts: Collection[str] = ()) -> SideMapping:
    """The mapping of a table of this kind with the columns that look right for it; those named in ``texts`` are free text.

    Raises:
        DataError: the table has too few columns for the kind.
    """
    how = detected.format()
    if kind in EDGE_COLUMNS:
        needed = EDGE_COLUMNS[kind]
        if len(detected.columns) < len(needed):
            raise DataError(
                f"{KIND_LABELS[kind]} need {len(needed)} columns ({', '.join(needed)}), but the file has {len(detected.columns)}."
            )
        return side_mapping(how | {"kind": kind, "columns": {name: detected.key(at) for at, name in enumerate(needed)}})
    role = detected.guesses.get("item" if kind == "item_attributes" else "user")
    id_column = role.column if role is not None and detected.has_header else 0
    types: dict[int, AttributeType | None] = {
        column.index: "text" if column.name in texts or _name(column) in texts else attribute_type(column) for column in detected.columns
    }
    typed = [(column, type_) for column in detected.columns if column.index != id_column and (type_ := types[column.index]) is not None]
    if not typed:
        raise DataError(f"No column of {detected.filename} describes anything: choose the attributes by hand.")
    decimal = "," if any(column.written.decimal == "," for column, type_ in typed if type_ == "numeric") else "."
    attributes = [
        {
            "column": detected.key(column.index),
            "name": _name(column),
            "type": type_,
            "separator": _separator(column),
            "thousands": column.written.thousands if type_ == "numeric" else "",
        }
        for column, type_ in typed
    ]
    return side_mapping(how | {"kind": kind, "id": detected.key(id_column), "attributes": attributes, "decimal": decimal})


def attribute_type(column: Column) -> AttributeType | None:
    """What the values of a column are; None for those that tell nothing, such as row numbers and other ids."""
    declared = column.name.rpartition(":")[2]
    if ":" in column.name and declared in _RECBOLE_TYPES:
        return _RECBOLE_TYPES[declared]
    if not column.filled or column.distinct < 2 or not plain_name(column.name):
        return None
    if column.separator is not None:
        return "multi"
    if column.is_number:
        if not column.is_whole:
            return "numeric"
        if column.distinct <= _FEW_LEVELS:
            return "categorical"
        return "numeric" if column.distinct < 0.5 * column.filled else None
    if column.words > _TEXT_WORDS:
        return "text"
    return "categorical" if column.distinct <= max(_FEW_LEVELS, 0.5 * column.filled) else "text" if column.words > 1 else None


def _name(column: Column) -> str:
    return (column.name.rpartition(":")[0] or column.name)[:200]


def _separator(column: Column) -> str:
    return " " if column.name.endswith(":token_seq") else column.separator or "|"
