from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from gnn.errors import DataError
from gnn.preparation import Preparation

_DAY_WIDGET = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
_DEFAULT = Preparation()


class PreparationForm(forms.Form):
    """Which of the rows become the dataset; valid forms have a ``preparation``."""

    prefix = "prepare"

    min_weight = forms.FloatField(label=_("Weight at least"), required=False, help_text=_("Drops rows below, such as ratings under 4."))
    implicit = forms.BooleanField(
        label=_("Forget the weights"), required=False, help_text=_("What is kept counts the same: an implicit dataset.")
    )
    positive_labels = forms.BooleanField(
        label=_("Only rows with a positive label"), required=False, help_text=_("Clicks instead of impressions.")
    )
    behaviours = forms.CharField(
        label=_("Only these behaviours"), required=False, max_length=1000, help_text=_("As in the file, divided by commas: cart, buy.")
    )
    first_day = forms.DateField(label=_("From"), required=False, widget=_DAY_WIDGET)
    last_day = forms.DateField(label=_("To, inclusive"), required=False, widget=_DAY_WIDGET)
    duplicates = forms.ChoiceField(
        label=_("The same user and item again"),
        required=False,
        choices=[
            ("keep", _("keep every row")),
            ("first", _("keep the first")),
            ("last", _("keep the last")),
            ("sum", _("add the weights up")),
        ],
        initial=_DEFAULT.duplicates,
    )
    sample = forms.FloatField(
        label=_("Share of users, %"), required=False, min_value=0.001, max_value=100, help_text=_("A sample, each user with all rows.")
    )
    seed = forms.IntegerField(label=_("Seed of the sample"), required=False, min_value=0, max_value=2**31 - 1, initial=_DEFAULT.seed)
    core = forms.IntegerField(
        label=_("k-core"),
        required=False,
        min_value=1,
        max_value=1000,
        help_text=_("Every user and item keeps at least k of the other."),
    )
    min_per_user = forms.IntegerField(label=_("Items per user at least"), required=False, min_value=1, max_value=10_000)

    preparation: Preparation | None = None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        behaviours = tuple(name.strip() for name in cleaned["behaviours"].split(",") if name.strip())
        last_day = cleaned["last_day"]
        try:
            self.preparation = Preparation.from_json(
                {
                    "positive_labels": cleaned["positive_labels"],
                    "behaviours": behaviours or None,
                    "min_weight": cleaned["min_weight"],
                    "implicit": cleaned["implicit"],
                    "first_time": _midnight(cleaned["first_day"]),
                    "last_time": _midnight(last_day + timedelta(days=1)) - 1 if last_day else None,  # type: ignore[operator]
                    "duplicates": cleaned["duplicates"] or _DEFAULT.duplicates,
                    "sample": (cleaned["sample"] or 100) / 100,
                    "seed": _DEFAULT.seed if cleaned["seed"] is None else cleaned["seed"],
                    "core": cleaned["core"] or 1,
                    "min_per_user": cleaned["min_per_user"] or 1,
                }
            )
        except DataError as error:
            self.add_error(None, str(error))
        return cleaned

    @classmethod
    def values(cls, preparation: Preparation) -> dict[str, Any]:
        """The fields that show ``preparation``; what asks for nothing stays empty."""
        return {
            "min_weight": preparation.min_weight,
            "implicit": preparation.implicit,
            "positive_labels": preparation.positive_labels,
            "behaviours": ", ".join(preparation.behaviours or ()),
            "first_day": _day(preparation.first_time),
            "last_day": _day(preparation.last_time),
            "duplicates": preparation.duplicates,
            "sample": None if preparation.sample == 1 else preparation.sample * 100,
            "seed": preparation.seed,
            "core": None if preparation.core == 1 else preparation.core,
            "min_per_user": None if preparation.min_per_user == 1 else preparation.min_per_user,
        }


def _midnight(day: date | None) -> int | None:
    return None if day is None else int(datetime.combine(day, time(), UTC).timestamp())


def _day(seconds: int | None) -> date | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).date()
