"""What the rows of a file are: interactions, attributes, social edges, knowledge; a guess from names, with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from gnn.sources.guess import CERTAIN, LIKELY, POSSIBLE, Column, Guess
from gnn.sources.mapping import Role
from gnn.sources.names import names_items, names_users, plain_name, stem, suffixes

Kind = Literal["interactions", "item_attributes", "user_attributes", "social", "triples", "item_links"]
KINDS: tuple[Kind, ...] = get_args(Kind)
KIND_LABELS: dict[Kind, str] = {
    "interactions": "Interactions",
    "item_attributes": "Item attributes",
    "user_attributes": "User attributes",
    "social": "Social edges",
    "triples": "Knowledge triples",
    "item_links": "Links from items to entities",
}

RECBOLE_ENDINGS: dict[str, Kind] = {
    ".inter": "interactions",
    ".item": "item_attributes",
    ".user": "user_attributes",
    ".net": "social",
    ".kg": "triples",
    ".link": "item_links",
}
"""RecBole's atomic files."""
_OTHER_ENDINGS: dict[str, Kind] = {".trust": "social", ".rating": "interactions", ".ratings": "interactions"}
_SOCIAL_STEMS = ("trust", "friend", "social", "follow")


@dataclass(frozen=True)
class KindGuess:
    kind: Kind
    confidence: float
    """From 0 to 1."""
    reason: str


def guess_kind(filename: str, columns: tuple[Column, ...], guesses: dict[Role, Guess], *, named: bool) -> KindGuess:
    """The kind of table with such columns; ``named`` says that the names come from the file."""
    for ending in suffixes(filename):
        if ending in RECBOLE_ENDINGS:
            return KindGuess(RECBOLE_ENDINGS[ending], CERTAIN, f"the file's name ends in {ending}, as RecBole names its files")
        if ending in _OTHER_ENDINGS:
            return KindGuess(_OTHER_ENDINGS[ending], LIKELY, f"the file's name ends in {ending}")
    by_columns = _by_columns(columns, guesses) if named else None
    return by_columns or _by_filename(filename, columns) or KindGuess("interactions", POSSIBLE, "nothing speaks for another kind of table")


def _by_columns(columns: tuple[Column, ...], guesses: dict[Role, Guess]) -> KindGuess | None:
    plain = [plain_name(column.name) for column in columns]
    if any(name.startswith("head") for name in plain) and any(name.startswith("tail") for name in plain):
        return KindGuess("triples", CERTAIN, "columns are named head and tail")
    sure = {role for role, guess in guesses.items() if guess.confidence >= LIKELY}
    if "user" in sure and "item" in sure:
        return KindGuess("interactions", CERTAIN, "columns are named like users and items")
    if any("entity" in name for name in plain) and "item" in sure:
        return KindGuess("item_links", LIKELY, "columns are named like items and entities")
    certain = {role for role, guess in guesses.items() if guess.confidence >= CERTAIN}
    events = certain & {"timestamp", "label", "behaviour", "propensity", "position"}
    if not events and "item" in certain and "user" not in sure:
        return KindGuess("item_attributes", LIKELY, "a column is named like items and none like users")
    if not events and "user" in certain and "item" not in sure:
        return KindGuess("user_attributes", LIKELY, "a column is named like users and none like items")
    return None


def _by_filename(filename: str, columns: tuple[Column, ...]) -> KindGuess | None:
    name = stem(filename)
    if any(word in name for word in _SOCIAL_STEMS):
        return KindGuess("social", LIKELY, f"the file is named {filename}")
    if len(columns) == 3 and (name.startswith("kg") or "triple" in name):
        return KindGuess("triples", LIKELY, f"the file is named {filename} and has three columns")
    if len(columns) == 2 and "entity" in name:
        return KindGuess("item_links", LIKELY, f"the file is named {filename} and has two columns")
    if names_items(filename):
        return KindGuess("item_attributes", LIKELY, f"the file is named {filename}")
    if names_users(filename):
        return KindGuess("user_attributes", LIKELY, f"the file is named {filename}")
    return None
