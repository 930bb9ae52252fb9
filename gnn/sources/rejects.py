"""Rows that could not be used: counted by reason, with the first examples of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MAX_EXAMPLES = 5
"""Kept for each reason."""
MAX_TEXT = 200
"""Characters kept of an example."""


class Reason(StrEnum):
    """Why a row was rejected. A row has one reason: the first that applies, in this order."""

    UNDECODABLE = "undecodable"
    OPEN_QUOTE = "open_quote"
    FIELD_COUNT = "field_count"
    MISSING_USER = "missing_user"
    MISSING_ITEM = "missing_item"
    MISSING_WEIGHT = "missing_weight"
    WEIGHT_NOT_NUMBER = "weight_not_number"
    WEIGHT_NOT_FINITE = "weight_not_finite"
    MISSING_TIMESTAMP = "missing_timestamp"
    TIMESTAMP_NOT_READABLE = "timestamp_not_readable"


REASONS: dict[Reason, str] = {
    Reason.UNDECODABLE: "bytes that are not text in the chosen encoding",
    Reason.OPEN_QUOTE: "a quotation mark that is never closed",
    Reason.FIELD_COUNT: "wrong number of fields",
    Reason.MISSING_USER: "missing user",
    Reason.MISSING_ITEM: "missing item",
    Reason.MISSING_WEIGHT: "missing weight",
    Reason.WEIGHT_NOT_NUMBER: "weight is not a number",
    Reason.WEIGHT_NOT_FINITE: "weight is not finite",
    Reason.MISSING_TIMESTAMP: "missing timestamp",
    Reason.TIMESTAMP_NOT_READABLE: "timestamp cannot be read in the chosen unit",
}
"""Each reason in words."""


@dataclass(frozen=True)
class Example:
    line: int
    """Line of the file, from 1, where the row starts."""
    column: str | None
    """Name of the column at fault, or None when the whole row is."""
    text: str
    """The field as written, or the row where the whole row is at fault."""


@dataclass
class Rejects:
    """The account of one file: ``rows_read == rows_kept + total`` always holds."""

    rows_read: int = 0
    """Records that are not blank, without the header."""
    rows_kept: int = 0
    blank_lines: int = 0
    """Empty lines; they are not rows."""
    counts: dict[Reason, int] = field(default_factory=dict)
    examples: dict[Reason, list[Example]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def add(self, reason: Reason, count: int, examples: list[Example]) -> None:
        """Count ``count`` rows; the first few of all ``examples`` ever given are kept."""
        self.counts[reason] = self.counts.get(reason, 0) + count
        kept = self.examples.setdefault(reason, [])
        for example in examples[: MAX_EXAMPLES - len(kept)]:
            kept.append(Example(example.line, example.column, example.text[:MAX_TEXT]))

    def wants_examples(self, reason: Reason) -> bool:
        return len(self.examples.get(reason, ())) < MAX_EXAMPLES

    def summary(self) -> str:
        """One sentence part naming each reason, most frequent first, with its first example."""
        parts = []
        for reason, count in sorted(self.counts.items(), key=lambda pair: -pair[1]):
            first = self.examples[reason][0]
            where = f"line {first.line}" + (f", column {first.column}" if first.column else "")
            parts.append(f"{count:,} × {REASONS[reason]} (first at {where}: {first.text!r})")
        return "; ".join(parts)

    def to_json(self) -> dict[str, Any]:
        return {
            "rows_read": self.rows_read,
            "rows_kept": self.rows_kept,
            "blank_lines": self.blank_lines,
            "reasons": [
                {
                    "reason": reason,
                    "text": REASONS[reason],
                    "count": self.counts[reason],
                    "examples": [{"line": e.line, "column": e.column, "text": e.text} for e in self.examples[reason]],
                }
                for reason in Reason
                if reason in self.counts
            ],
        }
