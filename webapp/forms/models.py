from __future__ import annotations

from django import forms
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

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


class BundleForm(forms.Form):
    """A bundle to import, and the model that it becomes a version of."""

    file = forms.FileField(
        label=_("Bundle"),
        allow_empty_file=True,  # the reader says it better
        help_text=_("The zip file that Download bundle gave, on this or another installation."),
        error_messages={"required": _("Choose a file.")},
        widget=forms.ClearableFileInput(attrs={"accept": ".zip,application/zip"}),
    )
    name = forms.SlugField(
        label=_("Model"),
        max_length=NAME_LENGTH,
        required=False,
        help_text=_("Left empty, the name that it was exported under. An existing model gets a new version."),
    )
