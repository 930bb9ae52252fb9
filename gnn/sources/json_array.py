"""The elements of one JSON array, taken one after the other out of a text that comes in pieces."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from gnn.errors import DataError

LONGEST = 1 << 24
"""Characters of an element that are waited for; one that does not end within them is taken for broken."""
_SPACE = re.compile(r"[ \t\r\n]*")
# Numbers stay as they are written: an id may be longer than any number type. A NUL stands where bytes were no text.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str, strict=False)


def elements(pieces: Iterator[str], filename: str) -> Iterator[tuple[int, str, Any]]:
    """The line where each element starts, from 1, the element as written and as a value, in bounded memory.

    Numbers are given as text.

    Raises:
        DataError: the array is broken, which spoils what follows; elements before that have been given.
    """
    scanner = _Scanner(pieces, filename)
    scanner.take("[", "an array")
    while True:
        yield scanner.value()
        if scanner.sign() != ",":
            break
        scanner.take(",", "")
    scanner.take("]", "a comma and another object, or the end of the array")
    if scanner.sign():
        scanner.fail("the end of the file after the array")


class _Scanner:
    def __init__(self, pieces: Iterator[str], filename: str) -> None:
        self._pieces, self._filename = pieces, filename
        self._text, self._at, self._line = "", 0, 1

    def sign(self) -> str:
        """The next sign that is not blank; nothing at the end."""
        while True:
            end = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]  # matches anything
            self._go_to(end)
            if end < len(self._text):
                return self._text[end]
            if not self._more():
                return ""

    def take(self, sign: str, what: str) -> None:
        if self.sign() != sign:
            self.fail(what)
        self._at += 1

    def value(self) -> tuple[int, str, Any]:
        if self.sign() in ("", "]"):
            self.fail("an object")
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except (ValueError, RecursionError):
                if len(self._text) - self._at > LONGEST or not self._more():
                    self.fail("a whole object")
                continue
            if end == len(self._text) and self._more():
                continue  # a number may go on
            line, text = self._line, self._text[self._at : end]
            self._go_to(end)
            return line, text, value

    def fail(self, wanted: str) -> NoReturn:
        found = self._text[self._at : self._at + 80]
        raise DataError(
            f"The JSON array in {self._filename} is broken in line {self._line:,}: {wanted} should be there, but "
            f"{f'{found!r} is' if found else 'the file ends'}. "
            "Export it again, or write one object a line, where a broken one spoils no other."
        )

    def _go_to(self, end: int) -> None:
        self._line += self._text.count("\n", self._at, end)
        self._at = end

    def _more(self) -> bool:
        piece = next(self._pieces, "")
        self._text, self._at = self._text[self._at :] + piece, 0
        return bool(piece)
