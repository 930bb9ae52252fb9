"""How a file is divided into columns, and the role of each column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from gnn.errors import DataError
from gnn.sources import Detected, Mapping
from gnn.sources.guess import Column, Guess
from gnn.sources.mapping import (
    DELIMITERS,
    ENCODINGS,
    MAX_SKIP_LINES,
    NUMBER_FORMS,
    PARTS,
    REQUIRED_ROLES,
    ROLE_LABELS,
    ROLES,
    SOURCE_LABELS,
    TIMESTAMP_UNITS,
    Delimiter,
    Role,
    TableFormat,
    is_delimiter,
)

_DELIMITER_KEYS: dict[Delimiter, str] = {"::": "colons", "\t": "tab", ";": "semicolon", "|": "bar", ",": "comma", " ": "space"}
_DELIMITERS: dict[str, Delimiter] = {key: delimiter for delimiter, key in _DELIMITER_KEYS.items()}
_OTHER = "other"


class FormatForm(forms.Form):
    """How the file is divided into columns; what a format does not have is left out of the page and ignored."""

    source = forms.ChoiceField(label=_("Format"), choices=list(SOURCE_LABELS.items()))
    delimiter = forms.ChoiceField(
        label=_("Delimiter"),
        required=False,
        choices=[*((_DELIMITER_KEYS[key], label) for key, label in DELIMITERS.items()), (_OTHER, _("another sign"))],
    )
    sign = forms.CharField(label=_("Sign"), required=False, max_length=1, strip=False)
    header = forms.ChoiceField(label=_("First row"), required=False, choices=[("yes", _("names the columns")), ("no", _("is data"))])
    skip = forms.IntegerField(label=_("Lines above the table"), required=False, min_value=0, max_value=MAX_SKIP_LINES)
    encoding = forms.ChoiceField(label=_("Encoding"), required=False, choices=list(ENCODINGS.items()))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("delimiter") == _OTHER and not is_delimiter(cleaned.get("sign") or ""):
            self.add_error("sign", _("Type the one sign that stands between two fields; it may not be a letter, a digit or a quote."))
        return cleaned

    def choices(self) -> dict[str, Any]:
        """What was chosen, as arguments of ``gnn.sources.detect``."""
        chosen = self.cleaned_data
        choices: dict[str, Any] = {"source": chosen["source"], "encoding": chosen["encoding"] or None}
        if chosen["source"] == "delimited" and chosen["delimiter"]:
            choices["delimiter"] = chosen["sign"] if chosen["delimiter"] == _OTHER else _DELIMITERS[chosen["delimiter"]]
            choices |= {"has_header": chosen["header"] == "yes", "skip_lines": chosen["skip"]}
        return choices

    @classmethod
    def values(cls, how: Detected | TableFormat) -> dict[str, str]:
        """The fields that show ``how``."""
        key = _DELIMITER_KEYS.get(how.delimiter, _OTHER)
        return {
            "source": how.source,
            "delimiter": key,
            "sign": how.delimiter if key == _OTHER else "",
            "header": "yes" if how.has_header else "no",
            "skip": str(how.skip_lines),
            "encoding": how.encoding,
        }


@dataclass(frozen=True)
class ColumnHead:
    """What stands above a column of the preview."""

    name: str
    type: str
    field: forms.BoundField | None
    """None where the format itself says what a column is."""
    degree: str
    """How sure the guess of its role is; empty without a guess."""
    reason: str


class RolesForm(forms.Form):
    """The role of each column; valid forms have a ``mapping``."""

    timestamp_unit = forms.ChoiceField(
        label=_("Time is written as"), required=False, choices=[("", _("as the values show")), *TIMESTAMP_UNITS.items()]
    )
    numbers = forms.ChoiceField(
        label=_("Numbers are written as"), required=False, choices=[("", _("as the values show")), *((form, form) for form in NUMBER_FORMS)]
    )
    on_reject = forms.ChoiceField(
        label=_("A row that cannot be used"),
        required=False,
        choices=[("skip", _("is skipped, counted and shown")), ("stop", _("stops the reading"))],
    )
    part = forms.ChoiceField(
        label=_("The rows are"),
        required=False,
        choices=[("", _("all of the data")), *((part, _("the %(part)s part of a given split") % {"part": part}) for part in PARTS)],
    )

    def __init__(self, *args: Any, detected: Detected, chosen: Mapping | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.detected = detected
        self.mapping: Mapping | None = None
        roles: dict[int, Role] = {guess.column: role for role, guess in detected.guesses.items()}
        if chosen is not None:
            found = {role: detected.column(column) for role, column in chosen.columns.items()}
            roles = {column.index: role for role, column in found.items() if column is not None}
            self.initial.update(on_reject=chosen.on_reject, part=chosen.part or "")
            self.initial["timestamp_unit"] = chosen.timestamp_unit if "timestamp" in chosen.columns else ""
            self.initial["numbers"] = _numbers_said(chosen, detected)
        self.has_columns = detected.source != "adjacency"
        for column in detected.columns if self.has_columns else ():
            self.fields[f"role_{column.index}"] = forms.ChoiceField(
                label=_("Role of column %(name)s") % {"name": column.name},
                required=False,
                choices=[("", _("not used")), *((role, ROLE_LABELS[role]) for role in ROLES)],
                initial=roles.get(column.index, ""),
            )

    def heads(self) -> Sequence[ColumnHead]:
        guesses = {guess.column: (role, guess) for role, guess in self.detected.guesses.items()}
        return [
            ColumnHead(
                column.name,
                type_words(column),
                self[f"role_{column.index}"] if self.has_columns else None,
                *_hint(guesses.get(column.index)),
            )
            for column in self.detected.columns
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        columns: dict[Role, int | str] = {}
        for role in ROLES if self.has_columns else ():
            taken = [column for column in self.detected.columns if cleaned.get(f"role_{column.index}") == role]
            if len(taken) > 1:
                names = " and ".join(f"“{column.name}”" for column in taken)
                self.add_error(
                    None, _("Only one column can be the %(role)s, but %(names)s are.") % {"role": ROLE_LABELS[role].lower(), "names": names}
                )
            elif taken:
                columns[role] = taken[0].index
            elif role in REQUIRED_ROLES:
                self.add_error(None, _("Choose the column that holds the %(role)s.") % {"role": role})
        if not self.errors:
            try:
                self.mapping = self.detected.mapping(
                    columns,
                    timestamp_unit=cleaned["timestamp_unit"] or None,
                    numbers=cleaned["numbers"] or None,
                    part=cleaned["part"] or None,
                    on_reject=cleaned["on_reject"] or "skip",
                )
            except DataError as error:
                self.add_error(None, str(error))
        return cleaned


def type_words(column: Column) -> str:
    if column.timestamp_unit is not None:
        return str(_("times: %(unit)s") % {"unit": TIMESTAMP_UNITS[column.timestamp_unit]})
    if column.is_number:
        kind = _("whole numbers") if column.is_whole else _("numbers")
        odd = (
            _(", and %(n)s that are no numbers") % {"n": column.odd}
            if column.odd > 1
            else _(", and one that is no number")
            if column.odd
            else ""
        )
        return f"{kind}, {column.low:g} – {column.high:g}{odd}"
    if column.is_truth:
        return str(_("true or false"))
    return str(_("text, %(n)s different in the sample") % {"n": column.distinct})


def _numbers_said(chosen: Mapping, detected: Detected) -> str:
    """The form of numbers that a person chose; empty where it is what the values show."""
    shown = detected.mapping(dict(chosen.columns)) if detected.source != "adjacency" else chosen
    if (chosen.decimal, chosen.thousands) == (shown.decimal, shown.thousands):
        return ""
    used = next(iter(chosen.thousands.values()), "")
    return next((form for form, (decimal, thousands) in NUMBER_FORMS.items() if (decimal, thousands) == (chosen.decimal, used)), "")


def _hint(guessed: tuple[Role, Guess] | None) -> tuple[str, str]:
    if guessed is None:
        return "", ""
    role, guess = guessed
    return str(_("%(role)s, %(confidence)s sure") % {"role": ROLE_LABELS[role], "confidence": f"{guess.confidence:.0%}"}), guess.reason
