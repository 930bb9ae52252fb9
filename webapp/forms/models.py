from __future__ import annotations

from django import forms
from django.utils.text import slugify

from webapp.enums import TrainedOn
from webapp.models import Search
from webapp.services.models import NAME_LENGTH


class RegisterForm(forms.Form):
    """Under which name, and on which data, a finalist becomes a model."""

    name = forms.SlugField(max_length=NAME_LENGTH, help_text="Part of addresses. An existing name gets a new version.")
    trained_on = forms.ChoiceField(choices=TrainedOn.choices, initial=TrainedOn.TRAIN, widget=forms.RadioSelect)

    @staticmethod
    def initial_of(search: Search) -> dict[str, str]:
        return {"name": slugify(search.dataset.name)[:NAME_LENGTH].strip("-_") or "model"}
