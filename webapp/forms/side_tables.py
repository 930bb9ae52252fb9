from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from gnn.errors import DataError
from gnn.sources import Detected
from gnn.sources.side import ATTRIBUTE_TYPES, EDGE_COLUMNS, ID, AttributesMapping, EdgesMapping, SideMapping, side_mapping
from webapp.enums import FileKind
from webapp.forms.dataset_mapping import ColumnHead, type_words


class FileUploadForm(forms.Form):
    """A further file of a dataset."""

    kind = forms.ChoiceField(label=_("What the file holds"), choices=FileKind.choices)
    file = forms.FileField(label=_("File"), allow_empty_file=True, error_messages={"required": _("Choose a file.")})


class SideForm(forms.Form):
    """What each column of a side table is; valid forms have a ``mapping``."""

    separator = forms.CharField(
        label=_("Lists are divided by"), required=False, max_length=5, strip=False, help_text=_("Such as | in Comedy|Drama.")
    )
    on_reject = forms.ChoiceField(
        label=_("A row that cannot be used"),
        required=False,
        choices=[("skip", _("is skipped, counted and shown")), ("stop", _("stops the reading"))],
    )

    def __init__(self, *args: Any, kind: FileKind, detected: Detected, chosen: SideMapping | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind, self.detected = kind, detected
        self.mapping: SideMapping | None = None
        self._chosen = chosen
        self.is_edges = kind.value in EDGE_COLUMNS
        if self.is_edges:
            del self.fields["separator"]
            choices: list[tuple[str, Any]] = [(name, name.capitalize()) for name in EDGE_COLUMNS[kind.value]]
        else:
            choices = [(ID, _("id of the user") if kind == FileKind.USER_ATTRIBUTES else _("id of the item")), *ATTRIBUTE_TYPES.items()]
        initial = self._initial()
        for column in detected.columns:
            self.fields[f"role_{column.index}"] = forms.ChoiceField(
                label=_("Role of column %(name)s") % {"name": column.name},
                required=False,
                choices=[("", _("not used")), *choices],
                initial=initial.get(column.index, ""),
            )

    def heads(self) -> Sequence[ColumnHead]:
        return [ColumnHead(column.name, type_words(column), self[f"role_{column.index}"], "", "") for column in self.detected.columns]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        roles = {column.index: role for column in self.detected.columns if (role := cleaned[f"role_{column.index}"])}
        document = self.detected.format() | {"kind": self.kind.value, "on_reject": cleaned["on_reject"] or "skip"}
        try:
            self.mapping = side_mapping(document | (self._edges(roles) if self.is_edges else self._attributes(roles, cleaned)))
        except DataError as error:
            self.add_error(None, str(error))
        return cleaned

    def _edges(self, roles: dict[int, str]) -> dict[str, Any]:
        for name in EDGE_COLUMNS[self.kind.value]:
            self._require_one(roles, name)
        return {"columns": {role: self.detected.key(index) for index, role in roles.items()}}

    def _attributes(self, roles: dict[int, str], cleaned: dict[str, Any]) -> dict[str, Any]:
        self._require_one(roles, ID)
        columns = {column.index: column for column in self.detected.columns}
        described = {index: type_ for index, type_ in roles.items() if type_ != ID}
        if not described:
            raise DataError("Choose at least one column that describes something.")
        comma = any(columns[index].written.decimal == "," for index, type_ in described.items() if type_ == "numeric")
        return {
            "id": self.detected.key(next(index for index, role in roles.items() if role == ID)),
            "decimal": "," if comma else ".",
            "attributes": [
                {
                    "column": self.detected.key(index),
                    "name": (columns[index].name.rpartition(":")[0] or columns[index].name)[:200],
                    "type": type_,
                    "separator": cleaned["separator"] or columns[index].separator or "|",
                    "thousands": columns[index].written.thousands if type_ == "numeric" else "",
                }
                for index, type_ in described.items()
            ],
        }

    def _require_one(self, roles: dict[int, str], wanted: str) -> None:
        n = sum(role == wanted for role in roles.values())
        if n != 1:
            raise DataError(f"Choose one column for {wanted}; {n} are chosen.")

    def _initial(self) -> dict[int, str]:
        """The role of each column as chosen before."""
        chosen, pairs = self._chosen, []
        if isinstance(chosen, EdgesMapping):
            pairs = [(column, role) for role, column in chosen.columns.items()]
        elif isinstance(chosen, AttributesMapping):
            pairs = [(chosen.id, ID), *((attribute.column, attribute.type) for attribute in chosen.attributes)]
            separators = {attribute.separator for attribute in chosen.attributes if attribute.type == "multi"}
            self.initial["separator"] = separators.pop() if len(separators) == 1 else ""
        if chosen is not None:
            self.initial["on_reject"] = chosen.on_reject
        found = ((self.detected.column(column), role) for column, role in pairs)
        return {column.index: role for column, role in found if column is not None}
