from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from webapp.enums import BatchFormat
from webapp.services.batches import MAX_K


class BatchForm(forms.Form):
    """Which lists of all users are wanted."""

    k = forms.IntegerField(label=_("Items for each user"), min_value=1, max_value=MAX_K, initial=20)
    format = forms.ChoiceField(label=_("Format"), choices=BatchFormat.choices, initial=BatchFormat.CSV)
    exclude_seen = forms.BooleanField(label=_("Leave out what a user has already"), initial=True, required=False)
