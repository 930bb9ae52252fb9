"""Kinds of values that several parts of the API take or give."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Annotated, Any

from django.http import HttpRequest
from ninja.parser import Parser
from pydantic import BeforeValidator, Field

NO_NUL = r"^[^\x00]*$"
"""The database keeps no NUL; bodies of JSON are searched for it as a whole."""

Text = Annotated[str, Field(max_length=200, pattern=NO_NUL)]
"""A text in an address."""

Name = Annotated[str, Field(min_length=1, max_length=200)]

Number = Annotated[float | None, BeforeValidator(lambda value: value if value is not None and math.isfinite(value) else None)]
"""A measured number; null where there is none, or it is not finite, for which JSON has no word."""

Document = dict[str, Any]
"""A JSON object whose own library says what may be in it."""


class StrictParser(Parser):
    """Takes the JSON that can be kept: no NaN, no infinity, no NUL and no half of a surrogate pair."""

    def parse_body(self, request: HttpRequest) -> Any:
        document = json.loads(request.body, parse_constant=_refuse_constant)
        for value in _leaves(document):
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError("A number is too large.")
            if isinstance(value, str) and ("\0" in value or not value.isascii() and _has_surrogate(value)):
                raise ValueError(f"A text may hold neither NUL nor half a surrogate pair, but {value[:40]!r} does.")
        return document


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON.")


def _leaves(value: Any) -> Iterator[Any]:
    """Every key and every value that is neither object nor array."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case dict() as found:
                yield from found
                waiting.extend(found.values())
            case list() as found:
                waiting.extend(found)
            case found:
                yield found


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= sign <= "\udfff" for sign in text)
