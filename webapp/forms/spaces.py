"""The form of a search space: a card for each decision of the catalogue, or the space as JSON text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django import forms

from gnn.catalogue import CATALOGUE, LABELS, PRESETS, CatalogueEntry, build_space, check_trainable, preset_space
from gnn.errors import SpaceError
from gnn.space import Choice, SearchSpace, choice_text

MAX_DOCUMENT = 100_000
"""Characters of a space pasted as JSON."""

PRESET_HELP = {
    "demo": "Every kind of layer, small sizes: a good first search.",
    "seed-paper": "The six decisions of the article: node and edge embedding size, structure, activation, regularisation, aggregation.",
    "lightgcn-family": "LightGCN layers only; searches sizes, depth and training.",
    "attributes": "The demo's, with embeddings made of ids, of attributes, or of both. On a dataset without attributes it is the demo.",
    "full": "Everything the catalogue offers, attributes apart.",
}


@dataclass(frozen=True)
class Option:
    value: str
    label: str
    ticked: bool


@dataclass(frozen=True)
class Card:
    """A decision as the page shows it."""

    entry: CatalogueEntry
    options: Sequence[Option]
    condition: str
    more: forms.BoundField | None
    errors: Sequence[str]


@dataclass(frozen=True)
class Preset:
    name: str
    help: str
    size: int


@lru_cache(maxsize=1)
def presets() -> list[Preset]:
    return [Preset(name, PRESET_HELP.get(name, ""), preset_space(name).size) for name in PRESETS]


def choice_label(choice: Choice) -> str:
    return LABELS.get(str(choice), choice_text(choice))


def condition_words(entry: CatalogueEntry) -> str:
    """When the decision applies, as a sentence."""
    words = []
    if entry.per is not None:
        words.append("Chosen anew for each layer.")
    for parent, allowed in entry.when.items():
        some = ", ".join(choice_label(choice) for choice in allowed)
        words.append(f"Applies only where {CATALOGUE[parent].label.lower()} is {some}.")
    return " ".join(words)


def ticked_by(space: SearchSpace) -> dict[str, list[Choice]] | None:
    """The ticks that make ``space``; None when its conditions are not the catalogue's, so that only JSON can show it."""
    ticked = {spec.name: list(spec.choices) for spec in space.specs}
    try:
        same = build_space(ticked).to_json() == space.to_json()
    except SpaceError:
        return None
    return ticked if same else None


class TicksField(forms.MultipleChoiceField):
    """Ticked values; the catalogue decides what they may be, because a saved space can hold values of its own."""

    def valid_value(self, value: str) -> bool:
        del value
        return True


class SpaceForm(forms.Form):
    """Valid only with a space in ``self.space``; a SpaceError is shown at the field that caused it."""

    name = forms.CharField(max_length=200, label="Name", help_text="How the space appears in lists; unique.")
    source = forms.ChoiceField(choices=[("ticks", "Choices"), ("text", "JSON")], initial="ticks")
    document = forms.CharField(
        required=False,
        label="Space as JSON",
        max_length=MAX_DOCUMENT,
        widget=forms.Textarea(attrs={"rows": 22, "class": "form-control code", "spellcheck": "false"}),
    )

    space: SearchSpace | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for entry in CATALOGUE.values():
            self.fields[entry.name] = TicksField(required=False, label=entry.label)
            if entry.minimum is not None:
                self.fields[_more(entry)] = forms.CharField(required=False, max_length=200, label=f"Other values of {entry.label.lower()}")

    @classmethod
    def showing(cls, space: SearchSpace, *, name: str = "") -> SpaceForm:
        """An unbound form with the choices of ``space``."""
        ticked = ticked_by(space)
        initial: dict[str, Any] = {"name": name, "source": "text" if ticked is None else "ticks", "document": space_text(space)}
        for key, choices in (ticked or {}).items():
            initial[key] = [choice_text(choice) for choice in choices]
        return cls(initial=initial)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        try:
            if cleaned.get("source") == "text":
                self.space = SearchSpace.from_text(cleaned.get("document", ""))
                check_trainable(self.space)
            else:
                # Through JSON, whose limits a saved space must keep.
                self.space = SearchSpace.from_json(build_space(self._ticked(cleaned)).to_json())
        except SpaceError as error:
            self.space = None
            field = "document" if cleaned.get("source") == "text" else error.field
            if field in self.fields:
                self.add_error(field, str(error))
            else:
                self.add_error(None, str(error))
        return cleaned

    @property
    def size(self) -> int | None:
        """The number of architectures; of the initial choices while the form is unbound."""
        if self.is_bound:
            return None if self.space is None else self.space.size
        return SearchSpace.from_text(self.initial["document"]).size

    def _ticked(self, cleaned: Mapping[str, Any]) -> dict[str, list[Choice]]:
        ticked: dict[str, list[Choice]] = {}
        for entry in CATALOGUE.values():
            texts = [*cleaned.get(entry.name, []), *cleaned.get(_more(entry), "").replace(",", " ").split()]
            choices = sorted({read_choice(entry, text) for text in texts}, key=_position(entry))
            if choices:
                ticked[entry.name] = choices
        if not ticked:
            raise SpaceError("Tick at least one choice.")
        return ticked

    @property
    def cards(self) -> list[Card]:
        return [self._card(entry) for entry in CATALOGUE.values()]

    def _card(self, entry: CatalogueEntry) -> Card:
        bound = self[entry.name]
        ticked = [str(value) for value in bound.value() or []]
        known = [choice_text(choice) for choice in entry.offered]
        options = [Option(choice_text(choice), choice_label(choice), choice_text(choice) in ticked) for choice in entry.offered]
        options += [Option(value[:40], value[:40], True) for value in dict.fromkeys(ticked) if value not in known]
        more = self[_more(entry)] if _more(entry) in self.fields else None
        errors = [*bound.errors, *(more.errors if more else [])]
        return Card(entry, options, condition_words(entry), more, errors)


def read_choice(entry: CatalogueEntry, text: str) -> Choice:
    """The choice that a form's text means.

    Raises:
        SpaceError: it is not a number, where the decision needs one; ``field`` names the decision.
    """
    for choice in entry.offered:
        if choice_text(choice) == text:
            return choice
    if entry.minimum is None:
        return text
    try:
        return int(text) if entry.whole else float(text)
    except ValueError as error:
        kind = "a whole number" if entry.whole else "a number"
        raise SpaceError(f"'{text[:40]}' is not {kind}.", field=entry.name) from error


def _position(entry: CatalogueEntry) -> Any:
    """Numbers by size, words in the catalogue's order."""
    if entry.minimum is not None:
        return lambda choice: choice
    return lambda choice: entry.offered.index(choice) if choice in entry.offered else len(entry.offered)


def _more(entry: CatalogueEntry) -> str:
    return f"{entry.name}_more"


def space_text(space: SearchSpace) -> str:
    """The space as indented JSON with one decision a line."""
    document = space.to_json()
    lines = ",\n".join("    " + json.dumps(decision) for decision in document["decisions"])
    return f'{{\n  "schema": {document["schema"]},\n  "decisions": [\n{lines}\n  ]\n}}\n'
