from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class StudyForm(forms.Form):
    """A study to import."""

    file = forms.FileField(
        label=_("Study"),
        allow_empty_file=True,  # the reader says it better
        help_text=_("The zip file that Study, in the menu Export of a search, gave on this or another installation."),
        error_messages={"required": _("Choose a file.")},
        widget=forms.ClearableFileInput(attrs={"accept": ".zip,application/zip"}),
    )
