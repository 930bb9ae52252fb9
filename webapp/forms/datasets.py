"""The forms between a file and a dataset: upload, format, and the role of each column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from gnn.errors import DataError
from gnn.sources import Detected, Mapping
from gnn.sources.guess import CERTAIN, LIKELY, Guess
from gnn.sources.mapping import DELIMITERS, ENCODINGS, ROLES, TIMESTAMP_UNITS, Delimiter, Role

_DELIMITER_KEYS: dict[Delimiter, str] = {"::": "colons", "\t": "tab", ";": "semicolon", "|": "bar", ",": "comma", " ": "space"}
_DELIMITERS: dict[str, Delimiter] = {key: delimiter for delimiter, key in _DELIMITER_KEYS.items()}
_ROLE_LABELS: dict[Role, str] = {"user": "User", "item": "Item", "weight": "Weight", "timestamp": "Time"}


class UploadForm(forms.Form):
    file = forms.FileField(
        label="File",
        allow_empty_file=True,  # the reader says it better
        help_text="One interaction in each row: a user, an item, and optionally a weight such as a rating, and a time. "
        "CSV, TSV or other delimited text, plain or compressed with gzip.",
        error_messages={"required": "Choose a file."},
    )
    name = forms.CharField(label="Name", max_length=200, required=False, help_text="Left empty, the dataset is named after the file.")


class UploadStartForm(forms.Form):
    """What upload.js says of a file before it sends it."""

    filename = forms.CharField(max_length=1000, strip=False, error_messages={"required": _("Choose a file.")})
    size = forms.IntegerField(min_value=0, max_value=2**62)
    name = forms.CharField(max_length=200, required=False)


class FormatForm(forms.Form):
    """How the file is divided into columns."""

    delimiter = forms.ChoiceField(choices=[(_DELIMITER_KEYS[key], label) for key, label in DELIMITERS.items()])
    header = forms.ChoiceField(label="First row", choices=[("yes", "names the columns"), ("no", "is data")])
    encoding = forms.ChoiceField(choices=list(ENCODINGS.items()))

    def choices(self) -> dict[str, Any]:
        """What was chosen, as arguments of ``dataset_detected``."""
        chosen = self.cleaned_data
        return {"delimiter": _DELIMITERS[chosen["delimiter"]], "has_header": chosen["header"] == "yes", "encoding": chosen["encoding"]}

    @classmethod
    def values(cls, source: Detected | Mapping) -> dict[str, str]:
        """The fields that show ``source``."""
        header = "yes" if source.has_header else "no"
        return {"delimiter": _DELIMITER_KEYS[source.delimiter], "header": header, "encoding": source.encoding}


@dataclass(frozen=True)
class ColumnHead:
    """What stands above a column of the preview."""

    name: str
    field: forms.BoundField
    hint: str


class RolesForm(forms.Form):
    """The role of each column; valid forms have a ``mapping``."""

    timestamp_unit = forms.ChoiceField(
        label="Time is written as", required=False, choices=[("", "as the values show"), *TIMESTAMP_UNITS.items()]
    )

    def __init__(self, *args: Any, detected: Detected, chosen: Mapping | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.detected = detected
        self.mapping: Mapping | None = None
        guesses = {guess.column: role for role, guess in detected.guesses.items()}
        if chosen is not None:
            guesses = {column: role for role, column in chosen.columns.items() if isinstance(column, int)}
            self.fields["timestamp_unit"].initial = chosen.timestamp_unit if "timestamp" in chosen.columns else ""
        for column in detected.columns:
            self.fields[f"role_{column.index}"] = forms.ChoiceField(
                label=f"Role of column {column.name}",
                required=False,
                choices=[("", "not used"), *((role, _ROLE_LABELS[role]) for role in ROLES)],
                initial=guesses.get(column.index, ""),
            )

    def heads(self) -> Sequence[ColumnHead]:
        guesses = {guess.column: (role, guess) for role, guess in self.detected.guesses.items()}
        return [
            ColumnHead(column.name, self[f"role_{column.index}"], _hint(*guesses[column.index]) if column.index in guesses else "")
            for column in self.detected.columns
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        columns: dict[Role, int | str] = {}
        for role in ROLES:
            taken = [column for column in self.detected.columns if cleaned.get(f"role_{column.index}") == role]
            if len(taken) > 1:
                names = " and ".join(f"“{column.name}”" for column in taken)
                self.add_error(None, f"Only one column can be the {_ROLE_LABELS[role].lower()}, but {names} are.")
            elif taken:
                columns[role] = taken[0].index
            elif role in ("user", "item"):
                self.add_error(None, f"Choose the column that holds the {role}.")
        if not self.errors:
            try:
                self.mapping = self.detected.mapping(columns, timestamp_unit=cleaned.get("timestamp_unit") or None)
            except DataError as error:
                self.add_error(None, str(error))
        return cleaned


def _hint(role: Role, guess: Guess) -> str:
    degree = "certain" if guess.confidence >= CERTAIN else "likely" if guess.confidence >= LIKELY else "a guess"
    return f"{_ROLE_LABELS[role]}, {degree}: {guess.reason}."
