"""What a person may change about a search that has started: more trials, another budget, an architecture by hand."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from gnn.errors import SpaceError
from gnn.plan import Budget, SearchPlan
from gnn.space import Architecture, Choice, SearchSpace
from webapp.forms.search_plan import BudgetForm, budget_initial
from webapp.services.searches import MAX_TRIALS

MAX_DOCUMENT = 20_000
"""Characters of an architecture pasted as JSON."""


class ExtendForm(BudgetForm):
    """More trials, and the budget as it is to be from now on."""

    seen = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    trials = forms.IntegerField(
        min_value=0,
        max_value=MAX_TRIALS,
        initial=20,
        label=_("More trials"),
        help_text=_("For each arm. 0 changes the budget alone."),
    )

    field_order = ("seen", "trials")

    @staticmethod
    def initial_of(planned_trials: int, plan: SearchPlan) -> dict[str, Any]:
        return {"seen": planned_trials, **budget_initial(plan.budget)}

    def budget(self) -> Budget:
        return Budget(**self.budget_document())

    def add_space_error(self, error: SpaceError) -> None:
        self.add_error(error.field if error.field in self.fields else None, str(error))


class EnqueueForm(forms.Form):
    """An architecture of ``space`` as JSON: decision -> choice."""

    architecture = forms.CharField(
        max_length=MAX_DOCUMENT,
        widget=forms.Textarea(attrs={"rows": 18, "spellcheck": "false"}),
        help_text=_("A choice for each decision, as JSON. Decisions that do not apply must be left out."),
    )

    def __init__(self, *args: Any, space: SearchSpace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.space = space

    def clean_architecture(self) -> Architecture:
        try:
            values = json.loads(self.cleaned_data["architecture"])
        except json.JSONDecodeError as error:
            raise forms.ValidationError(f"Not JSON at line {error.lineno}, column {error.colno}: {error.msg}.") from error
        except RecursionError as error:
            raise forms.ValidationError("Nested too deeply to be an architecture.") from error
        if not isinstance(values, dict):
            raise forms.ValidationError('An architecture is an object, as in {"node_dim": 64}.')
        offered = {decision.name: decision.choices for decision in self.space.decisions}
        try:
            return self.space.architecture({name: _as_offered(value, offered.get(name, ())) for name, value in values.items()})
        except SpaceError as error:
            raise forms.ValidationError(str(error)) from error


def architecture_text(space: SearchSpace, architecture: dict[str, Choice]) -> str:
    """The architecture as JSON with its decisions in the order of the space, which the database does not keep."""
    ordered = {decision.name: architecture[decision.name] for decision in space.decisions if decision.name in architecture}
    return json.dumps(ordered, indent=2)


def _as_offered(value: Choice, choices: tuple[Choice, ...]) -> Choice:
    """The choice that equals ``value``: 64 for 64.0, so that one architecture is not two."""
    return next((choice for choice in choices if choice == value), value)
