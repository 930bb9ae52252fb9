"""The difference of two search spaces as a page shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from gnn.catalogue import CATALOGUE
from gnn.space import Choice, DecisionSpec, SearchSpace
from gnn.space_changes import DecisionChange, space_changes
from webapp.forms.spaces import choice_label


@dataclass(frozen=True)
class ChangeRow:
    label: str
    what: str
    """Whether the decision is new, gone or changed."""
    kind: str
    """added, removed or changed."""
    kept: Sequence[str]
    added: Sequence[str]
    removed: Sequence[str]
    notes: Sequence[str]


def change_rows(before: SearchSpace, after: SearchSpace) -> list[ChangeRow]:
    return [_row(change) for change in space_changes(before, after)]


def _row(change: DecisionChange) -> ChangeRow:
    kind = "added" if change.before is None else "removed" if change.after is None else "changed"
    what = {"added": _("Decision added"), "removed": _("Decision removed"), "changed": _("Choices or conditions changed")}[kind]
    notes = []
    if change.reordered:
        notes.append(_("The same choices come in another order."))
    if change.condition_changed:
        notes.append(_("Before: %(condition)s") % {"condition": _condition(change.before)})
        notes.append(_("After: %(condition)s") % {"condition": _condition(change.after)})
    kept = [choice for choice in (change.after.choices if change.after else ()) if choice not in change.added]
    return ChangeRow(_label(change.name), what, kind, _labels(kept), _labels(change.added), _labels(change.removed), notes)


def _label(name: str) -> str:
    return _(CATALOGUE[name].label) if name in CATALOGUE else name


def _labels(choices: Sequence[Choice]) -> list[str]:
    return [choice_label(choice) for choice in choices]


def _condition(spec: DecisionSpec | None) -> str:
    """When a decision applies, in words."""
    parts = []
    if spec is not None and spec.per is not None:
        parts.append(_("for each layer"))
    for parent, allowed in (spec.when if spec is not None else {}).items():
        parts.append(_("where %(decision)s is %(choices)s") % {"decision": _label(parent), "choices": ", ".join(_labels(allowed))})
    return "; ".join(parts) if parts else _("always")
