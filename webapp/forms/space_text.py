"""A search space as JSON text that people edit: how it is written, and at which line it is wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence

from gnn.catalogue import check_trainable
from gnn.errors import SpaceError
from gnn.space import SearchSpace

_decoder = json.JSONDecoder()


def space_text(space: SearchSpace) -> str:
    """The space as indented JSON with one decision a line."""
    document = space.to_json()
    lines = ",\n".join("    " + json.dumps(decision) for decision in document["decisions"])
    return f'{{\n  "schema": {document["schema"]},\n  "decisions": [\n{lines}\n  ]\n}}\n'


def read_space(text: str) -> SearchSpace:
    """The space that ``text`` is, which the engine can train.

    Raises:
        SpaceError: it is none; the message begins with the line at fault, where there is one.
    """
    try:
        space = SearchSpace.from_text(text)
        check_trainable(space)
    except SpaceError as error:
        place = error.place or _place_of(text, error.field)
        if not place:
            raise
        raise SpaceError(f"Line {line_at(text, place)}: {error}", field=error.field, place=place) from error
    return space


def _place_of(text: str, decision: str | None) -> tuple[str | int, ...]:
    """Where the document has a decision; of two that are named alike the later, which is one too many."""
    if decision is None:
        return ()
    if decision == "schema":
        return ("schema",)
    found = [at for at, entry in enumerate(json.loads(text)["decisions"]) if entry["name"] == decision.partition(".")[0]]
    return ("decisions", found[-1]) if found else ()


def line_at(text: str, place: Sequence[str | int]) -> int:
    """The line, from 1, on which a part of valid JSON begins; of the last part on the way to it where it is not there."""
    at = _skip(text, 0)
    for step in place:
        inner = _find(text, at, step)
        if inner is None:
            break
        at = inner
    return text.count("\n", 0, at) + 1


def _find(text: str, at: int, step: str | int) -> int | None:
    """Where the value of a key, or the element at an index, of the container at ``at`` begins."""
    keyed, opening = isinstance(step, str), text[at]
    if opening != ("{" if keyed else "["):
        return None
    at = _skip(text, at + 1)
    index = 0
    while text[at] not in "]}":
        key: str | int = index
        if keyed:
            key, at = _decoder.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        if key == step:
            return at
        at = _skip(text, _decoder.raw_decode(text, at)[1])
        if text[at] == ",":
            at = _skip(text, at + 1)
        index += 1
    return None


def _skip(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at
