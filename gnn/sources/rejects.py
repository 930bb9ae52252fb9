"""Rows that could not be used: counted by reason, with the first examples of each."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from enum import StrEnum
from typing import IO, Any

from gnn.sources.text import MAX_LINE_BYTES, MAX_LIST_BYTES

MAX_EXAMPLES = 5
"""Kept for each reason."""
MAX_TEXT = 200
"""Characters kept of an example."""
MAX_LOGGED = 100_000
"""Rejected rows written to a file."""
MAX_LOGGED_TEXT = 10_000
"""Characters of each."""


class Reason(StrEnum):
    """Why a row was rejected. A row has one reason: the first that applies, in this order."""

    UNDECODABLE = "undecodable"
    TOO_LONG = "too_long"
    NOT_JSON = "not_json"
    OPEN_QUOTE = "open_quote"
    FIELD_COUNT = "field_count"
    MISSING_USER = "missing_user"
    MISSING_ITEM = "missing_item"
    MISSING_WEIGHT = "missing_weight"
    WEIGHT_NOT_NUMBER = "weight_not_number"
    WEIGHT_NOT_FINITE = "weight_not_finite"
    MISSING_TIMESTAMP = "missing_timestamp"
    TIMESTAMP_NOT_READABLE = "timestamp_not_readable"
    LABEL_NOT_READABLE = "label_not_readable"
    MISSING_BEHAVIOUR = "missing_behaviour"
    MISSING_DOMAIN = "missing_domain"
    PROPENSITY_NOT_READABLE = "propensity_not_readable"
    POSITION_NOT_READABLE = "position_not_readable"
    MISSING_ID = "missing_id"
    REPEATED = "repeated"


REASONS: dict[Reason, str] = {
    Reason.UNDECODABLE: "bytes that are not text in the chosen encoding",
    Reason.TOO_LONG: f"a row longer than {MAX_LINE_BYTES:,} bytes (a list of items: {MAX_LIST_BYTES:,})",
    Reason.NOT_JSON: "not a JSON object",
    Reason.OPEN_QUOTE: "a quotation mark that is never closed",
    Reason.FIELD_COUNT: "wrong number of fields",
    Reason.MISSING_USER: "missing user",
    Reason.MISSING_ITEM: "missing item",
    Reason.MISSING_WEIGHT: "missing weight",
    Reason.WEIGHT_NOT_NUMBER: "weight is not a number",
    Reason.WEIGHT_NOT_FINITE: "weight is not finite",
    Reason.MISSING_TIMESTAMP: "missing timestamp",
    Reason.TIMESTAMP_NOT_READABLE: "timestamp cannot be read in the chosen unit",
    Reason.LABEL_NOT_READABLE: "label is not a number from 0 to 1, true or false",
    Reason.MISSING_BEHAVIOUR: "missing behaviour",
    Reason.MISSING_DOMAIN: "missing domain",
    Reason.PROPENSITY_NOT_READABLE: "propensity is not a number above 0 and at most 1",
    Reason.POSITION_NOT_READABLE: "position is not a whole number of at most 32 bits",
    Reason.MISSING_ID: "missing id",
    Reason.REPEATED: "what an earlier row says already",
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
    log: RejectedRows | None = None
    """Takes every rejected row, when there is one."""

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def keeps_all(self) -> bool:
        """Whether ``add`` has a use for more than the first few examples."""
        return self.log is not None and not self.log.is_full

    def add(self, reason: Reason, count: int, examples: list[Example]) -> None:
        """Count ``count`` rows; the first few of all ``examples`` ever given are kept."""
        self.counts[reason] = self.counts.get(reason, 0) + count
        kept = self.examples.setdefault(reason, [])
        for example in examples[: MAX_EXAMPLES - len(kept)]:
            kept.append(Example(example.line, example.column, example.text[:MAX_TEXT]))
        if self.log is not None:
            self.log.write(reason, examples)

    def first(self) -> str:
        """The first rejected row of the file in words; there is at least one."""
        line, reason = min((examples[0].line, reason) for reason, examples in self.examples.items())
        return _in_words(reason, self.examples[reason][0])

    def summary(self) -> str:
        """One sentence part naming each reason, most frequent first, with its first example."""
        parts = []
        for reason, count in sorted(self.counts.items(), key=lambda pair: -pair[1]):
            first = self.examples[reason][0]
            where = f"line {first.line}" + (f", column {first.column}" if first.column else "")
            parts.append(f"{count:,} × {REASONS[reason]} (first at {where}: {first.text!r})")
        return "; ".join(parts)

    @classmethod
    def joined(cls, accounts: list[tuple[str, Rejects]]) -> Rejects:
        """The account of several files together; with more than one, the column of an example names the file too."""
        joined = cls()
        for filename, rejects in accounts:
            joined.rows_read += rejects.rows_read
            joined.rows_kept += rejects.rows_kept
            joined.blank_lines += rejects.blank_lines
            for reason, count in rejects.counts.items():
                examples = rejects.examples[reason]
                if len(accounts) > 1:
                    where = [f"{filename}: {example.column}" if example.column else filename for example in examples]
                    examples = [Example(example.line, at, example.text) for example, at in zip(examples, where, strict=True)]
                joined.add(reason, count, examples)
        return joined

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


class RejectedRows:
    """Writes rejected rows to a CSV file for a person to look at: line, column, reason, text."""

    def __init__(self, file: IO[bytes]) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        self._writer = csv.writer(self._text)
        self._writer.writerow(["line", "column", "reason", "text"])
        self.written = 0

    @property
    def is_full(self) -> bool:
        return self.written >= MAX_LOGGED

    def write(self, reason: Reason, examples: list[Example]) -> None:
        for example in examples[: MAX_LOGGED - self.written]:
            self._writer.writerow(
                [example.line, _harmless(example.column or ""), REASONS[reason], _harmless(example.text[:MAX_LOGGED_TEXT])]
            )
            self.written += 1

    def finish(self) -> None:
        """Let go of the file, which stays open."""
        self._text.detach()


def _harmless(text: str) -> str:
    """Text that a spreadsheet does not take for a formula: what could be one gets an apostrophe in front."""
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _in_words(reason: Reason, example: Example) -> str:
    where = f"Line {example.line:,}" + (f", column {example.column}" if example.column else "")
    return f"{where}: {REASONS[reason]} ({example.text!r})"
