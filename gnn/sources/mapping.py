"""How a file is to be read: its format and the column of each role, confirmed by a person and stored with the dataset."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from gnn.errors import DataError

Role = Literal["user", "item", "weight", "timestamp"]
ROLES: tuple[Role, ...] = ("user", "item", "weight", "timestamp")
REQUIRED_ROLES: tuple[Role, ...] = ("user", "item")

Delimiter = Literal["::", "\t", ";", "|", ",", " "]
DELIMITERS: dict[Delimiter, str] = {
    "::": "double colon ::",
    "\t": "tab",
    ";": "semicolon ;",
    "|": "vertical bar |",
    ",": "comma ,",
    " ": "space",
}
"""What may stand between two fields, and its name. In order of trust: where two fit a file equally well, the first is meant."""

Encoding = Literal["utf-8", "latin-1", "utf-16"]
ENCODINGS: dict[Encoding, str] = {"utf-8": "UTF-8", "latin-1": "Latin-1 (Western European)", "utf-16": "UTF-16 (Excel's Unicode text)"}

TimestampUnit = Literal["s", "ms", "us", "ns", "iso"]
TIMESTAMP_UNITS: dict[TimestampUnit, str] = {
    "s": "Unix seconds",
    "ms": "Unix milliseconds",
    "us": "Unix microseconds",
    "ns": "Unix nanoseconds",
    "iso": "ISO 8601 date or date and time",
}


class Mapping(BaseModel):
    """Everything the reader needs besides the file; equal mappings of equal files give equal interactions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Literal["delimited"] = "delimited"
    delimiter: Delimiter
    has_header: bool
    encoding: Encoding = "utf-8"
    """UTF-8 with or without a byte order mark is the same choice."""
    columns: dict[Role, int | str]
    """The column of each role: its position from 0, or its name in the header."""
    timestamp_unit: TimestampUnit = "s"
    decimal: Literal[".", ","] = "."
    """What separates the fraction of a weight."""

    @field_validator("columns")
    @classmethod
    def _check_columns(cls, columns: dict[Role, int | str]) -> dict[Role, int | str]:
        for role in REQUIRED_ROLES:
            if role not in columns:
                raise ValueError(f"choose the column that holds the {role}")
        taken: dict[int | str, Role] = {}
        for role, column in columns.items():
            if column in taken:
                raise ValueError(f"column {column!r} cannot be both {taken[column]} and {role}")
            if isinstance(column, int) and column < 0:
                raise ValueError(f"column positions start at 0, but {role} has {column}")
            taken[column] = role
        return columns

    @classmethod
    def from_json(cls, document: Any) -> Mapping:
        """Read a mapping from parsed JSON.

        Raises:
            DataError: a setting is missing, unknown or out of range.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or "mapping"
            raise DataError(f"Column mapping, {name}: {first['msg'].removeprefix('Value error, ')}.") from error

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json")
