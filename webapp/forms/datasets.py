"""The forms that take a file."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from webapp.enums import FileKind
from webapp.models import Dataset


class UploadForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        allow_empty_file=True,  # the reader says it better
        help_text=_(
            "One interaction in each row: a user, an item, and optionally a weight such as a rating, and a time. "
            "CSV, TSV or other delimited text, RecBole or MovieLens files, JSON (lines or an array), Parquet; "
            "plain or compressed with gzip, zip, zstd or xz."
        ),
        error_messages={"required": _("Choose a file.")},
    )
    name = forms.CharField(label=_("Name"), max_length=200, required=False, help_text=_("Left empty, the dataset is named after the file."))


class UploadStartForm(forms.Form):
    """What upload.js says of a file before it sends it."""

    filename = forms.CharField(max_length=1000, strip=False, error_messages={"required": _("Choose a file.")})
    size = forms.IntegerField(min_value=0, max_value=2**62)
    name = forms.CharField(max_length=200, required=False)
    target = forms.ModelChoiceField(Dataset.objects.all(), required=False)
    """The dataset that the file is added to; not called ``dataset``, which would hide that property of the form in scripts."""
    kind = forms.ChoiceField(choices=FileKind.choices, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("target") is not None and not cleaned.get("kind"):
            self.add_error("kind", _("Say what the file holds."))
        return cleaned
