"""How a file is to be read: its format and the column of each role, confirmed by a person and stored with the dataset."""

from __future__ import annotations

from collections.abc import Mapping as Columns
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gnn.errors import DataError

Role = Literal["user", "item", "weight", "timestamp", "label", "behaviour", "domain", "propensity", "position"]
ROLES: tuple[Role, ...] = get_args(Role)
REQUIRED_ROLES: tuple[Role, ...] = ("user", "item")
ROLE_LABELS: dict[Role, str] = {
    "user": "User",
    "item": "Item",
    "weight": "Weight",
    "timestamp": "Time",
    "label": "Label",
    "behaviour": "Behaviour",
    "domain": "Domain",
    "propensity": "Propensity",
    "position": "Position",
}
ROLE_HELP: dict[Role, str] = {
    "user": "who: any id, kept as written",
    "item": "what: any id, kept as written",
    "weight": "how much: a rating, a count, hours, watch time",
    "timestamp": "when",
    "label": "the outcome of an impression: click or conversion, 0 or 1",
    "behaviour": "what kind of act: view, cart, buy",
    "domain": "where: a shop, a category, an application",
    "propensity": "the chance that the item was shown, from 0 to 1",
    "position": "the place in the list where the item was shown",
}

SourceName = Literal["delimited", "adjacency", "json_lines", "parquet"]
SOURCE_LABELS: dict[SourceName, str] = {
    "delimited": "delimited text",
    "adjacency": "lists of items, one user a line",
    "json_lines": "JSON, an object a line or an array",
    "parquet": "Parquet",
}

Delimiter = str
DELIMITERS: dict[Delimiter, str] = {
    "::": "double colon ::",
    "\t": "tab",
    ";": "semicolon ;",
    "|": "vertical bar |",
    ",": "comma ,",
    " ": "space",
}
"""What usually stands between two fields, and its name. In order of trust: where two fit a file equally well, the first is meant."""

Encoding = Literal["utf-8", "latin-1", "utf-16", "utf-32", "gb18030"]
ENCODINGS: dict[Encoding, str] = {
    "utf-8": "UTF-8",
    "latin-1": "Latin-1 or Windows-1252 (Western European)",
    "utf-16": "UTF-16 (Excel's Unicode text)",
    "utf-32": "UTF-32",
    "gb18030": "GB18030 (Chinese)",
}

MAX_SKIP_LINES = 1000

TimestampUnit = Literal["s", "ms", "us", "ns", "iso", "dmy", "mdy"]
TIMESTAMP_UNITS: dict[TimestampUnit, str] = {
    "s": "Unix seconds",
    "ms": "Unix milliseconds",
    "us": "Unix microseconds",
    "ns": "Unix nanoseconds",
    "iso": "date or date and time, year first",
    "dmy": "date or date and time, day before month",
    "mdy": "date or date and time, month before day",
}

Decimal = Literal[".", ","]
Thousands = Literal["", ",", ".", " ", "'"]
"""What divides the thousands of a number. A comma and a dot say what the decimal sign is: the other one."""
NumberForm = Literal["1234.5", "1234,5", "1,234.5", "1.234,5", "1 234.5", "1 234,5", "1'234.5"]
NUMBER_FORMS: dict[NumberForm, tuple[Decimal, Thousands]] = {
    "1234.5": (".", ""),
    "1234,5": (",", ""),
    "1,234.5": (".", ","),
    "1.234,5": (",", "."),
    "1 234.5": (".", " "),
    "1 234,5": (",", " "),
    "1'234.5": (".", "'"),
}
NUMERIC_ROLES: tuple[Role, ...] = ("weight", "propensity", "position")

Part = Literal["train", "valid", "test"]
PARTS: tuple[Part, ...] = get_args(Part)

Column = int | str
"""A column by its position from 0 or by its name in the header."""


class TableFormat(BaseModel):
    """How bytes become a table of text fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: SourceName = "delimited"
    delimiter: Delimiter = ","
    """Delimited text only."""
    has_header: bool = True
    """Delimited text only."""
    encoding: Encoding = "utf-8"
    """Of text. UTF-8 with or without a byte order mark is the same choice."""
    skip_lines: int = Field(default=0, ge=0, le=MAX_SKIP_LINES)
    """Lines above the header or the first row that are neither: ``sep=;``, comments, titles, blank ones. Delimited text only."""
    on_reject: Literal["skip", "stop"] = "skip"
    """What to do at a row that cannot be used."""

    @field_validator("delimiter")
    @classmethod
    def _check_delimiter(cls, delimiter: Delimiter) -> Delimiter:
        if not is_delimiter(delimiter):
            raise ValueError(f"a delimiter is :: or one sign that stands in no name or number, but this is {delimiter!r}")
        return delimiter

    @classmethod
    def from_json(cls, document: Any) -> Self:
        """Read what ``to_json`` wrote.

        Raises:
            DataError: a setting is missing, unknown or out of range.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise data_error("Column mapping", error) from error

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json")


class Mapping(TableFormat):
    """Everything the reader of interactions needs besides the file; equal mappings of equal files give equal interactions."""

    columns: dict[Role, Column]
    """The column of each role; lists of items have none."""
    timestamp_unit: TimestampUnit = "s"
    decimal: Decimal = "."
    """What separates the fraction of a number."""
    thousands: dict[Role, Thousands] = Field(default_factory=dict)
    """What divides the thousands in the numbers of a role, where something does."""
    part: Part | None = None
    """The part of a predefined split that the rows are."""
    behaviour: str | None = Field(default=None, min_length=1, max_length=100)
    """The behaviour of all rows, where each behaviour has a file of its own."""
    domain: str | None = Field(default=None, min_length=1, max_length=100)
    """The domain of all rows, where each domain has a file of its own; it goes before the ids of the items (``domain/item``), which
    files of different domains often number alike."""

    @model_validator(mode="after")
    def _check_columns(self) -> Mapping:
        if self.source == "adjacency":
            if self.columns:
                raise ValueError("lists of items have no columns to choose")
            return self
        for role in REQUIRED_ROLES:
            if role not in self.columns:
                raise ValueError(f"choose the column that holds the {role}")
        for role in ("behaviour", "domain"):
            if role in self.columns and getattr(self, role) is not None:
                raise ValueError(f"the {role} is both a column and {getattr(self, role)!r} for all rows")
        check_distinct(self.columns)
        return self


def check_distinct(columns: Columns[Any, Column]) -> None:
    """Refuse one column for two roles, and negative positions; raises ValueError."""
    taken: dict[Column, str] = {}
    for role, column in columns.items():
        if column in taken:
            raise ValueError(f"column {column!r} cannot be both {taken[column]} and {role}")
        if isinstance(column, int) and column < 0:
            raise ValueError(f"column positions start at 0, but {role} has {column}")
        taken[column] = role


def is_delimiter(text: str) -> bool:
    return text == "::" or (len(text) == 1 and not text.isalnum() and text not in "\"'\n\r\0-+._")


def data_error(what: str, error: ValidationError) -> DataError:
    """pydantic's first complaint as one of ours."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"]) or "as a whole"
    return DataError(f"{what}, {name}: {first['msg'].removeprefix('Value error, ')}.")
