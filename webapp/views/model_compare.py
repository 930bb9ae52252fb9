"""Two versions of a model side by side: how good, what differs in their architectures, on which data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from gnn.bundle.document import Measured, ModelDocument
from gnn.catalogue import CATALOGUE, LABELS
from gnn.protocol import Protocol
from gnn.settings import Settings
from gnn.space import Architecture, Choice, choice_text
from webapp.enums import TrainedOn
from webapp.forms.searches import protocol_words
from webapp.models import Model
from webapp.selectors.models import VersionRow, versions_of
from webapp.selectors.searches import metric_label
from webapp.selectors.trials import decision_label
from webapp.templatetags.display import mean_sd, thousands

NOTHING = "–"


@dataclass(frozen=True)
class Compared:
    """One line: what the first and the second version have."""

    label: str
    first: str
    second: str

    @property
    def differs(self) -> bool:
        return self.first != self.second


@require_safe
def model_compare(request: HttpRequest, name: str) -> HttpResponse:
    """The versions that ``first`` and ``second`` name by their numbers; the newest and the one that is served, or the one before it."""
    model = get_object_or_404(Model, name=name)
    rows = [row for row in versions_of(model) if row.document is not None]
    chosen = _chosen(rows, request.GET.get("first", ""), request.GET.get("second", ""))
    context: dict[str, Any] = {"model": model, "rows": rows, "chosen": chosen}
    if chosen is not None:
        first, second = (row.document for row in chosen)
        assert first is not None and second is not None
        context["sections"] = [
            (_("Quality"), _quality(first, second)),
            (_("Architecture"), _decisions(first, second)),
            (_("Data"), _pairs(_data(first), _data(second))),
            (_("How they were made"), _pairs(_making(first), _making(second))),
        ]
        context["comparable"] = (first.data.sha256, first.protocol) == (second.data.sha256, second.protocol)
    return render(request, "models/compare.html", context)


def _chosen(rows: Sequence[VersionRow], first: str, second: str) -> tuple[VersionRow, VersionRow] | None:
    """The two rows that are meant; None where there are not two built versions."""
    if len(rows) < 2:
        return None
    by_number = {str(row.version.number): row for row in rows}
    one = by_number.get(first) or next((row for row in rows if row.state == "promoted"), rows[1])
    other = by_number.get(second) or next(row for row in rows if row is not one)
    return one, other


def _pairs(first: Mapping[str, str], second: Mapping[str, str]) -> list[Compared]:
    """All lines of both, in the order of the first, with what it lacks at the end."""
    return [Compared(label, first.get(label, NOTHING), second.get(label, NOTHING)) for label in dict.fromkeys((*first, *second))]


def _quality(first: ModelDocument, second: ModelDocument) -> list[Compared]:
    lines = []
    for part, label in (("test", _("Test %(metric)s")), ("validation", _("Validation %(metric)s"))):
        scores = [getattr(document.metrics.scores, part) for document in (first, second)]
        objectives = (first.metrics.objective, second.metrics.objective)
        names = dict.fromkeys([*objectives, *(name for name in scores[0] if name in scores[1])])
        texts = [
            {name: _text(document, found.get(name)) for name in names} for document, found in zip((first, second), scores, strict=True)
        ]
        lines += [Compared(label % {"metric": metric_label(name)}, texts[0][name], texts[1][name]) for name in names]
    intervals = [document.metrics.interval for document in (first, second)]
    words = [NOTHING if interval is None else f"{interval.low:.4f} – {interval.high:.4f}" for interval in intervals]
    return [*lines[:1], Compared(_("Interval of the test score"), words[0], words[1]), *lines[1:]]


def _text(document: ModelDocument, measured: Measured | None) -> str:
    return mean_sd(None if measured is None else (measured.mean, measured.sd), len(document.metrics.seeds))


def _decisions(first: ModelDocument, second: ModelDocument) -> list[Compared]:
    """Every decision that either spells out; what the other leaves out is at its default there, or has no part."""
    both = [Architecture.of(document.architecture) for document in (first, second)]
    spelled = {name for architecture in both for name in architecture.to_json()}
    names = [name for stem in CATALOGUE for name in sorted(spelled) if name.partition(".")[0] == stem]
    return [Compared(decision_label(name), *(_choice_words(architecture, name) for architecture in both)) for name in names]


def _choice_words(architecture: Architecture, name: str) -> str:
    choice = _choice(architecture, name)
    return NOTHING if choice is None else str(LABELS.get(str(choice), choice_text(choice)))


def _choice(architecture: Architecture, name: str) -> Choice | None:
    """What the architecture has for a decision; None where the catalogue's conditions say that it has no part."""
    stem, dot, layer = name.partition(".")
    entry = CATALOGUE[stem]
    if layer and int(layer) > int(architecture.get("layers", CATALOGUE["layers"].default)):
        return None
    for parent, allowed in entry.when.items():
        if _choice(architecture, parent + dot + layer if CATALOGUE[parent].per else parent) not in allowed:
            return None
    if name == "scorer":  # its default is the objective's own
        return Settings.of(architecture).scorer
    return architecture.get(name, entry.default)


def _data(document: ModelDocument) -> dict[str, str]:
    data = document.data
    return {
        _("Dataset"): data.name,
        _("Version of the dataset"): str(data.version),
        _("SHA-256 of the interactions"): data.sha256,
        _("Trained on"): str(TrainedOn(data.trained_on).label),
        _("Users"): thousands(data.users),
        _("Items"): thousands(data.items),
        _("Interactions"): thousands(data.interactions),
        _("Pairs it was trained with"): thousands(data.trained_pairs),
    }


def _making(document: ModelDocument) -> dict[str, str]:
    training = document.training
    return {
        **dict(protocol_words(Protocol.from_json(document.protocol))),
        _("Seed"): str(training.seed),
        _("Epochs"): str(training.epochs),
        _("Parameters"): thousands(training.parameters),
        _("Code"): document.code.digest[:16],
        **dict(sorted(document.code.libraries.items())),
    }
