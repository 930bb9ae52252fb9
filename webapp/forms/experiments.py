from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from webapp.enums import FeedbackKind
from webapp.models import ModelVersion
from webapp.selectors.feedback import INTERACTION_KINDS


class ExperimentForm(forms.Form):
    """Which version is compared with the promoted one, and how many users get it."""

    version = forms.TypedChoiceField(label=gettext_lazy("Compare with the promoted version"), coerce=int)
    percent = forms.IntegerField(
        label=gettext_lazy("Percent of users who get it"),
        min_value=1,
        max_value=99,
        initial=50,
        help_text=gettext_lazy("Equal halves tell a difference soonest; fewer users risk less."),
    )

    def __init__(self, versions: Sequence[ModelVersion], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["version"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [(version.number, _("Version %(number)s") % {"number": version.number}) for version in versions]


class FeedbackDatasetForm(forms.Form):
    """Which events become interactions."""

    kinds = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Events that become interactions"),
        coerce=FeedbackKind,
        choices=[(kind.value, kind.label) for kind in INTERACTION_KINDS],
        initial=[kind.value for kind in INTERACTION_KINDS],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Tick at least one.")},
    )
    weight = forms.FloatField(
        label=gettext_lazy("What an event counts"),
        required=False,
        help_text=gettext_lazy("Needed where the dataset has weights, such as ratings: the weight that every event gets."),
    )
