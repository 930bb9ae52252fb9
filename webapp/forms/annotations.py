from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from webapp.services.annotations import MAX_NOTE


class NoteForm(forms.Form):
    text = forms.CharField(
        required=False,
        max_length=MAX_NOTE,
        label=_("Note"),
        help_text=_("Plain text; lines stay as you break them."),
        widget=forms.Textarea(attrs={"rows": 5}),
    )
    seen = forms.IntegerField(min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)


class TagsForm(forms.Form):
    tags = forms.CharField(required=False, max_length=2000, label=_("Tags"), help_text=_("Separated by commas."))
