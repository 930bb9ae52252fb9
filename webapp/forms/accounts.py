from __future__ import annotations

from django import forms
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _


class WelcomeForm(forms.Form):
    """The name and password a person chooses through a one-time link."""

    username = forms.CharField(
        max_length=User._meta.get_field("username").max_length,
        label=_("User name"),
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none"}),
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        help_text=_("At least eight characters, not a common password, and not like the user name."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
