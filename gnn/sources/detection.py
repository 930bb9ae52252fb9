"""What a look at the head of a file says: its format, its columns, their roles; a person confirms it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from gnn.sources.compression import Compression
from gnn.sources.guess import Column, Guess, guess_roles
from gnn.sources.kinds import Kind, KindGuess, guess_kind
from gnn.sources.mapping import (
    NUMBER_FORMS,
    NUMERIC_ROLES,
    Delimiter,
    Encoding,
    Mapping,
    NumberForm,
    Part,
    Role,
    SourceName,
    TableFormat,
    TimestampUnit,
)
from gnn.sources.problems import problems_of

PREVIEW_ROWS = 10
How = TypeVar("How", bound=TableFormat)


@dataclass(frozen=True)
class Detected:
    """A file as its head shows it."""

    filename: str
    source: SourceName
    label: str
    """The format in words."""
    confidence: float
    """The share of the rows looked at that fit the format."""
    compression: Compression
    delimiter: Delimiter
    has_header: bool
    encoding: Encoding
    columns: tuple[Column, ...]
    skip_lines: int
    """Lines above the header or the first row that are neither."""
    skipped: tuple[str, ...]
    """Those of them that are not blank, as written."""
    rows: tuple[tuple[str, ...], ...]
    """The first rows, one field for each column."""
    guesses: dict[Role, Guess]
    kind: KindGuess
    """What the rows seem to be."""
    problems: tuple[str, ...]
    """What a person should know before confirming."""

    @classmethod
    def of(
        cls,
        filename: str,
        names: list[str],
        rows: list[tuple[str, ...]],
        *,
        source: SourceName,
        label: str,
        confidence: float,
        compression: Compression,
        named: bool = True,
        delimiter: Delimiter = ",",
        has_header: bool = True,
        encoding: Encoding = "utf-8",
        skip_lines: int = 0,
        skipped: tuple[str, ...] = (),
        problems: tuple[str, ...] = (),
    ) -> Detected:
        """Judge the columns of ``rows``; ``named`` says that ``names`` come from the file."""
        columns = tuple(Column.from_values(at, name, [row[at] for row in rows]) for at, name in enumerate(names))
        guesses = guess_roles(list(columns), named=named)
        return cls(
            filename=filename,
            source=source,
            label=label,
            confidence=confidence,
            compression=compression,
            delimiter=delimiter,
            has_header=has_header,
            encoding=encoding,
            columns=columns,
            skip_lines=skip_lines,
            skipped=skipped,
            rows=tuple(rows[:PREVIEW_ROWS]),
            guesses=guesses,
            kind=guess_kind(filename, columns, guesses, named=named),
            problems=problems + problems_of(columns, guesses, rows, delimiter, named=named),
        )

    @property
    def shape(self) -> str:
        """Equal for files to which the same mapping fits: the format and the names of the columns."""
        names = [column.name for column in self.columns] if self.has_header else [str(len(self.columns))]
        return hashlib.sha256("\x1f".join([self.source, self.delimiter, str(self.has_header), *names]).encode()).hexdigest()

    def format(self) -> dict[str, Any]:
        """How the bytes become a table, as a mapping says it."""
        return {name: getattr(self, name) for name in ("source", "delimiter", "has_header", "encoding", "skip_lines")}

    def adapted(self, how: How) -> How:
        """How to read this file, where ``how`` reads another of the same shape."""
        return how.model_copy(update={"encoding": self.encoding, "skip_lines": self.skip_lines})

    def key(self, column: int | str) -> int | str:
        """How a mapping names a column: by position in delimited text, by name where the format has names."""
        if self.source in ("json_lines", "parquet") and isinstance(column, int) and 0 <= column < len(self.columns):
            return self.columns[column].name
        return column

    def column(self, key: int | str) -> Column | None:
        return next((column for column in self.columns if key in (column.index, column.name)), None)

    def mapping(
        self,
        columns: dict[Role, int | str] | None = None,
        *,
        timestamp_unit: TimestampUnit | None = None,
        numbers: NumberForm | None = None,
        part: Part | None = None,
        on_reject: Literal["skip", "stop"] = "skip",
    ) -> Mapping:
        """How to read the file with the guessed columns or the given ones; units and numbers as their values show, if not said.

        Raises:
            DataError: no user or item column is given or could be guessed, or one column has two roles.
        """
        columns = {role: guess.column for role, guess in self.guesses.items()} if columns is None else columns
        time = self.column(columns["timestamp"]) if "timestamp" in columns else None
        numeric = {role: column for role in NUMERIC_ROLES if role in columns and (column := self.column(columns[role])) is not None}
        forms = {role: column.written[:2] if numbers is None else NUMBER_FORMS[numbers] for role, column in numeric.items()}
        return Mapping.from_json(
            {
                **self.format(),
                "columns": {} if self.source == "adjacency" else {role: self.key(column) for role, column in columns.items()},
                "timestamp_unit": timestamp_unit or (time and time.timestamp_unit) or "s",
                "decimal": "," if any(decimal == "," for decimal, _ in forms.values()) else ".",
                "thousands": {role: thousands for role, (_, thousands) in forms.items() if thousands},
                "part": part,
                "on_reject": on_reject,
            }
        )


__all__ = ["PREVIEW_ROWS", "Column", "Detected", "Guess", "Kind", "KindGuess"]
