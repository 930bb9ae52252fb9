from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from webapp.enums import Scope
from webapp.models import ApiToken

LIFETIMES = [("30", _("30 days")), ("90", _("90 days")), ("365", _("A year")), ("", _("Never"))]


class TokenForm(forms.Form):
    """What a new token is called, what it may do and for how long."""

    name = forms.CharField(
        label=_("Name"), max_length=ApiToken._meta.get_field("name").max_length, help_text=_("What it is for, such as nightly upload.")
    )
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        choices=Scope.choices,
        initial=[Scope.READ],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Tick at least one.")},
    )
    days = forms.ChoiceField(label=_("Expires after"), choices=LIFETIMES, initial="90", required=False)

    def token_fields(self) -> dict[str, Any]:
        """The arguments of ``token_create`` from a valid form."""
        chosen = self.cleaned_data
        days = int(chosen["days"]) if chosen["days"] else None
        return {"name": chosen["name"], "scopes": [Scope(scope) for scope in chosen["scopes"]], "days": days}
