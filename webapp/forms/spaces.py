"""The form of a search space: a card for each decision of the catalogue, or the space as JSON text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from gnn.catalogue import CATALOGUE, LABELS, PRESETS, CatalogueEntry, build_space, preset_space
from gnn.errors import SpaceError
from gnn.space import Choice, SearchSpace, choice_text
from webapp.forms.space_sources import space_at, space_sources
from webapp.forms.space_text import line_at, read_space, space_text
from webapp.models import Dataset
from webapp.selectors.datasets import datasets_ready

MAX_DOCUMENT = 100_000
"""Characters of a space pasted as JSON."""

PRESET_HELP: dict[str, Promise] = {
    "demo": gettext_lazy("Every kind of layer, small sizes: a good first search."),
    "seed-paper": gettext_lazy(
        "The six decisions of the article: node and edge embedding size, structure, activation, regularisation, aggregation."
    ),
    "lightgcn-family": gettext_lazy("LightGCN layers only; searches sizes, depth and training."),
    "attributes": gettext_lazy(
        "The demo's, with embeddings made of ids, of attributes, or of both. On a dataset without attributes it is the demo."
    ),
    "full": gettext_lazy("Everything the catalogue offers, attributes apart."),
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
    label: str
    help: str
    options: Sequence[Option]
    condition: str
    weight: str
    """What a random draw makes of it."""
    more: forms.BoundField | None
    errors: Sequence[str]


@dataclass(frozen=True)
class Preset:
    name: str
    help: Promise | str
    size: int


@lru_cache(maxsize=1)
def presets() -> list[Preset]:
    return [Preset(name, PRESET_HELP.get(name, ""), preset_space(name).size) for name in PRESETS]


def choice_label(choice: Choice) -> str:
    label = LABELS.get(str(choice))
    return choice_text(choice) if label is None else _(label)


def condition_words(entry: CatalogueEntry) -> str:
    """When the decision applies, as a sentence."""
    words = []
    if entry.per is not None:
        words.append(_("Chosen anew for each layer."))
    for parent, allowed in entry.when.items():
        some = ", ".join(choice_label(choice) for choice in allowed)
        decision = _(CATALOGUE[parent].label)
        # English writes names of decisions small inside a sentence; other languages do not tell.
        words.append(_("Applies only where %(decision)s is %(choices)s.") % {"decision": decision.lower(), "choices": some})
    return " ".join(words)


def weight_words(entry: CatalogueEntry, choices: int, *, applies: bool) -> str:
    """What a random draw makes of a decision with so many choices; nothing that weighs in stays unsaid."""
    if not choices:
        if entry.name == "scorer":
            return _("Not searched: each objective takes the scorer it was published with.")
        return _("Not searched: stays at %(choice)s.") % {"choice": choice_label(entry.default)}
    if not applies:
        return _("Left out: nothing that is ticked lets it apply.")
    if choices == 1:
        return _("One choice: nothing to decide.")
    share = f"{100 / choices:.3g}"
    return ngettext("%(choices)d choice, drawn with %(share)s %%.", "%(choices)d choices, each drawn with %(share)s %%.", choices) % {
        "choices": choices,
        "share": share,
    }


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

    name = forms.CharField(max_length=200, label=gettext_lazy("Name"), help_text=gettext_lazy("How the space appears in lists; unique."))
    seen = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)
    """The version that the person began from."""
    source = forms.ChoiceField(choices=[("ticks", gettext_lazy("Choices")), ("text", "JSON")], initial="ticks")
    document = forms.CharField(
        required=False,
        label=gettext_lazy("Space as JSON"),
        max_length=MAX_DOCUMENT,
        widget=forms.Textarea(attrs={"rows": 22, "class": "form-control code", "spellcheck": "false"}),
    )

    space: SearchSpace | None = None
    line: int | None = None
    """Of the JSON, where it is wrong."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for entry in CATALOGUE.values():
            self.fields[entry.name] = TicksField(required=False, label=entry.label)
            if entry.minimum is not None:
                self.fields[_more(entry)] = forms.CharField(required=False, max_length=200)

    @classmethod
    def showing(cls, space: SearchSpace, *, name: str = "", seen: int | None = None) -> SpaceForm:
        """An unbound form with the choices of ``space``."""
        ticked = ticked_by(space)
        initial: dict[str, Any] = {
            "name": name,
            "seen": seen,
            "source": "text" if ticked is None else "ticks",
            "document": space_text(space),
        }
        for key, choices in (ticked or {}).items():
            initial[key] = [choice_text(choice) for choice in choices]
        form = cls(initial=initial)
        form.space = space
        return form

    def see(self, number: int) -> None:
        """Let the form, shown again, begin from another version."""
        assert isinstance(self.data, QueryDict)
        data = self.data.copy()
        data["seen"] = str(number)
        self.data = data

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        try:
            if cleaned.get("source") == "text":
                self.space = read_space(cleaned.get("document", ""))
            else:
                # Through JSON, whose limits a saved space must keep.
                self.space = SearchSpace.from_json(build_space(self._ticked(cleaned)).to_json())
        except SpaceError as error:
            self.space = None
            if cleaned.get("source") == "text" and error.place:
                self.line = line_at(cleaned["document"], error.place)
            field = "document" if cleaned.get("source") == "text" else error.field
            if field in self.fields:
                self.add_error(field, str(error))
            else:
                self.add_error(None, str(error))
        return cleaned

    @property
    def size(self) -> int | None:
        """The number of architectures; None while there is no valid space."""
        return None if self.space is None else self.space.size

    @property
    def rounded(self) -> str:
        """The size as a power of ten, where it is too long to be read; empty where it is not."""
        return rounded(self.space.size) if self.space is not None else ""

    def _ticked(self, cleaned: Mapping[str, Any]) -> dict[str, list[Choice]]:
        ticked: dict[str, list[Choice]] = {}
        for entry in CATALOGUE.values():
            texts = [*cleaned.get(entry.name, []), *cleaned.get(_more(entry), "").replace(",", " ").split()]
            choices = [read_choice(entry, text) for text in dict.fromkeys(texts)]
            if choices:
                listed = len(cleaned.get(entry.name, []))
                ticked[entry.name] = list(dict.fromkeys(_in_order(entry, choices, listed)))
        if not ticked:
            raise SpaceError(_("Tick at least one choice."))
        return ticked

    @property
    def cards(self) -> list[Card]:
        return [self._card(entry) for entry in CATALOGUE.values()]

    def _card(self, entry: CatalogueEntry) -> Card:
        bound = self[entry.name]
        ticked = list(dict.fromkeys(str(value)[:40] for value in bound.value() or []))
        more = self[_more(entry)] if _more(entry) in self.fields else None
        errors = [*bound.errors, *(more.errors if more else [])]
        specs = {spec.name: spec for spec in self.space.specs} if self.space is not None else {}
        choices = len(specs[entry.name].choices) if entry.name in specs else len(ticked)
        # Of a space that is not valid yet, nothing is known but what is ticked.
        weight = weight_words(entry, choices, applies=self.space is None or entry.name in specs)
        options = [Option(value, _option_label(value), value in ticked) for value in _listed(entry, ticked)]
        return Card(entry, _(entry.label), _(entry.help), options, condition_words(entry), weight, more, errors)


class PreviewForm(forms.Form):
    """What a space being edited is shown by: which random architecture, and the cost on which dataset."""

    draw_number = forms.IntegerField(required=False, min_value=0, max_value=1_000_000, widget=forms.HiddenInput, initial=0)
    on_dataset = forms.ModelChoiceField(
        Dataset.objects.none(), required=False, empty_label=gettext_lazy("Choose a dataset"), label=gettext_lazy("On the dataset")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        datasets = self.fields["on_dataset"]
        assert isinstance(datasets, forms.ModelChoiceField)
        datasets.queryset = datasets_ready()

    @property
    def draw(self) -> int:
        """The number of the random architecture; the first for one that is no number."""
        return self.cleaned_data.get("draw_number") or 0

    @property
    def dataset(self) -> Dataset | None:
        return self.cleaned_data.get("on_dataset")


class ChangesForm(forms.Form):
    """Two spaces to compare."""

    before = forms.ChoiceField(label=gettext_lazy("From"))
    after = forms.ChoiceField(label=gettext_lazy("To"))

    spaces: tuple[SearchSpace, SearchSpace] | None = None

    def __init__(self, data: Mapping[str, str]) -> None:
        chosen = {name: data[name] for name in ("before", "after") if name in data}
        super().__init__(chosen if len(chosen) == 2 else None, initial={"before": "preset:demo", "after": "preset:full"} | chosen)
        for name in ("before", "after"):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = space_sources(*chosen.values())

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            try:
                self.spaces = space_at(cleaned["before"])[0], space_at(cleaned["after"])[0]
            except SpaceError as error:
                self.add_error(None, str(error))
        return cleaned


def rounded(size: int) -> str:
    """A size of a thousand million or more as ``2.3 × 10²⁴``; empty for a smaller one."""
    digits = str(size)
    if len(digits) < 10:
        return ""
    mantissa, exponent = f"{size / 10 ** (len(digits) - 1):.1f}", len(digits) - 1
    if mantissa == "10.0":
        mantissa, exponent = "1.0", exponent + 1
    return f"{mantissa} × 10{str(exponent).translate(_SUPERSCRIPTS)}"


_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


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
        wanted = _("'%(text)s' is not a whole number.") if entry.whole else _("'%(text)s' is not a number.")
        raise SpaceError(wanted % {"text": text[:40]}, field=entry.name) from error


def _in_order(entry: CatalogueEntry, choices: list[Choice], listed: int) -> list[Choice]:
    """The choices as a person ordered the first ``listed``; others join them where they belong, if those are in their usual order."""
    usual = _position(entry)
    if choices[:listed] == sorted(choices[:listed], key=usual):
        return sorted(choices, key=usual)
    return choices


def _listed(entry: CatalogueEntry, ticked: list[str]) -> list[str]:
    """All that a card lists: in the usual order, or, where a person chose another one, what is ticked first."""
    offered = [choice_text(choice) for choice in entry.offered]
    try:
        everything = {text: read_choice(entry, text) for text in (*offered, *ticked)}
    except SpaceError:  # something ticked is no choice at all, as the errors say
        return [*offered, *(text for text in ticked if text not in offered)]
    usual = sorted(everything, key=lambda text: _position(entry)(everything[text]))
    in_order = [text for text in usual if text in ticked]
    return usual if in_order == ticked else [*ticked, *(text for text in usual if text not in ticked)]


def _option_label(value: str) -> str:
    label = LABELS.get(value)
    return value if label is None else _(label)


def _position(entry: CatalogueEntry) -> Any:
    """Numbers by size, words in the catalogue's order."""
    if entry.minimum is not None:
        return lambda choice: choice
    return lambda choice: entry.offered.index(choice) if choice in entry.offered else len(entry.offered)


def _more(entry: CatalogueEntry) -> str:
    return f"{entry.name}_more"
