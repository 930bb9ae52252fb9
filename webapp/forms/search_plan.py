"""The part of a new search's form that says how it spends."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from pydantic import ValidationError

from gnn.errors import SpaceError
from gnn.plan import Budget, Constraints, Rungs, SearchPlan, Term
from gnn.protocol import Protocol

RUNG_DEFAULTS = Rungs()
RUNG_KINDS = [
    ("epochs", _("By epochs, where a trial is longer than the first rung")),
    ("data", _("By data: all epochs, on a share of the interactions")),
    ("off", _("Off: every trial to its end")),
]
REWARDS = [
    ("hold_out", _("The score on the validation part")),
    ("k_fold", _("The mean over all folds that do not test")),
]

MINUTE = 60.0  # seconds
LEAST = 0.001
"""Of what must be above 0."""


def term_of(line: str) -> Term:
    """One line of the objectives, ``measure weight``.

    Raises:
        SpaceError: the line is not of this form.
    """
    measure, *weight = line.split()
    if len(weight) != 1:
        raise SpaceError(f"'{line[:80]}' must be a measure, a space and its weight, as in 'recall@20 0.5'.")
    try:
        return Term.model_validate({"measure": measure, "weight": weight[0]})
    except ValidationError as error:
        raise SpaceError(f"The weight '{weight[0][:40]}' must be a number from 0 to 1,000,000.") from error


class BudgetForm(forms.Form):
    """What ends a search before its planned trials; fields of :class:`~gnn.plan.Budget`."""

    budget_epochs = forms.IntegerField(
        required=False, min_value=1, label=_("Training work"), help_text=_("Epochs of all that the controller proposed.")
    )
    budget_minutes = forms.FloatField(required=False, min_value=LEAST, label=_("Minutes"), help_text=_("Since the start, pauses included."))
    budget_worker_minutes = forms.FloatField(
        required=False, min_value=LEAST, label=_("Worker minutes"), help_text=_("Summed over all workers.")
    )
    budget_target = forms.FloatField(required=False, label=_("Good enough"), help_text=_("A score that ends the search."))
    budget_stale_trials = forms.IntegerField(
        required=False, min_value=1, label=_("No improvement for"), help_text=_("So many trials without a better score.")
    )

    def budget_document(self) -> dict[str, Any]:
        """The budget of fields without errors, as JSON."""
        cleaned = self.cleaned_data
        return {
            "epochs": cleaned["budget_epochs"],
            "seconds": _seconds(cleaned["budget_minutes"]),
            "worker_seconds": _seconds(cleaned["budget_worker_minutes"]),
            "target": cleaned["budget_target"],
            "stale_trials": cleaned["budget_stale_trials"],
        }


class PlanForm(BudgetForm):
    """Rungs, arms, objectives, constraints and budgets in plain words; fields of :class:`~gnn.plan.SearchPlan`."""

    rungs = forms.ChoiceField(
        choices=RUNG_KINDS,
        initial="epochs",
        label=_("Early stopping in rungs"),
        help_text=_("Short trials first; only the best of them go on."),
    )
    rungs_first = forms.IntegerField(
        min_value=1, max_value=10_000, initial=RUNG_DEFAULTS.first, label=_("First rung"), help_text=_("Its epochs, when by epochs.")
    )
    rungs_factor = forms.IntegerField(
        min_value=2,
        max_value=10,
        initial=RUNG_DEFAULTS.factor,
        label=_("Factor"),
        help_text=_("One in so many goes on, so many times as far."),
    )
    rungs_count = forms.IntegerField(
        min_value=2, max_value=10, initial=RUNG_DEFAULTS.count, label=_("Rungs"), help_text=_("The last has every epoch, or all the data.")
    )
    median_stop = forms.BooleanField(
        required=False,
        label=_("Stop below the median"),
        help_text=_("Ends a trial whose best score is below the median of the others so far."),
    )
    random_arm = forms.BooleanField(
        required=False,
        initial=True,
        label=_("Random search beside it"),
        help_text=_("Spends as much again on chance, so that what the controller gains over it is seen."),
    )
    standard_first = forms.BooleanField(
        required=False,
        initial=True,
        label=_("Begin with the standard"),
        help_text=_("The controller's first trial has the catalogue's default for every choice, or the nearest on offer."),
    )
    inherit = forms.BooleanField(
        required=False,
        label=_("Inherit embeddings"),
        help_text=_("Starts a trial from the best finished one of its size. Finalists start from scratch."),
    )
    prior = forms.BooleanField(
        required=False, label=_("Learn from earlier searches"), help_text=_("Starts from what was good on similar datasets.")
    )
    reward = forms.ChoiceField(
        choices=REWARDS,
        initial="hold_out",
        label=_("A trial is scored by"),
        help_text=_("The mean needs k-fold cross-validation, and rungs off."),
    )
    objectives = forms.CharField(
        required=False,
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "placeholder": "ndcg@20 1\ncoverage@20 0.2\nparameters 0.1"}),
        help_text=_(
            "One measure and its weight a line. Also coverage, gini, novelty, popularity and fairness_gap at K, parameters, "
            "latency_ms, train_seconds. Empty: the metric above alone."
        ),
    )
    text_model = forms.CharField(
        required=False,
        max_length=300,
        label=_("Language model for texts"),
        widget=forms.TextInput(attrs={"spellcheck": "false", "placeholder": "sentence-transformers/all-MiniLM-L6-v2"}),
        help_text=_(
            "Reads the items' free text for networks that embed attributes. A name on the hub, or a folder on the workers. "
            "Empty: texts are not read."
        ),
    )
    max_parameters = forms.IntegerField(required=False, min_value=1, label=_("Parameters at most"))
    max_memory_mib = forms.IntegerField(required=False, min_value=1, label=_("Memory at most, MiB"), help_text=_("Estimated, of training."))
    max_latency_ms = forms.FloatField(
        required=False, min_value=LEAST, label=_("Latency at most, ms"), help_text=_("To rank all items for a user.")
    )
    max_train_seconds = forms.FloatField(
        required=False, min_value=LEAST, label=_("Training at most, s"), help_text=_("Of one architecture.")
    )

    PLAN_FIELDS = (
        "rungs", "rungs_first", "rungs_factor", "rungs_count", "median_stop", "random_arm", "standard_first", "inherit", "prior",
        "reward", "objectives", "text_model", *Constraints.model_fields, *BudgetForm.base_fields,
    )  # fmt: skip

    def clean_objectives(self) -> list[Term]:
        self._lines: dict[str, int] = {}
        terms = []
        for number, line in enumerate(self.cleaned_data["objectives"].splitlines(), start=1):
            if not line.strip():
                continue
            try:
                term = term_of(line)
            except SpaceError as error:
                raise forms.ValidationError(f"Line {number}: {error}") from error
            if term.measure in self._lines:
                raise forms.ValidationError(f"Line {number}: {term.measure} is on line {self._lines[term.measure]} already.")
            self._lines[term.measure] = number
            terms.append(term)
        if terms and all(term.weight == 0 for term in terms):
            raise forms.ValidationError("All weights are 0, so nothing would be searched for; give one line a weight above 0.")
        return terms

    def plan_for(self, protocol: Protocol) -> SearchPlan:
        """The plan of fields without errors.

        Raises:
            SpaceError: settings do not go together, or do not fit ``protocol``; ``field`` is a field of this form.
        """
        cleaned = self.cleaned_data
        kind, first = cleaned["rungs"], cleaned["rungs_first"]
        rungs = None
        if kind == "data" or (kind == "epochs" and first < protocol.max_epochs):
            rungs = {"by": kind, "first": first, "factor": cleaned["rungs_factor"], "count": cleaned["rungs_count"]}
        document = {
            "rungs": rungs,
            "constraints": {name: cleaned[name] for name in Constraints.model_fields},
            "budget": self.budget_document(),
        }
        plain = ("median_stop", "random_arm", "standard_first", "inherit", "prior", "objectives", "reward", "text_model")
        try:
            plan = SearchPlan.from_json(document | {name: cleaned[name] for name in plain})
        except SpaceError as error:
            # What is left between fields is that a k-fold reward goes with none of the early stops.
            raise SpaceError(str(error), field="reward") from error
        for measure, line in self._lines.items():
            try:
                SearchPlan(objectives=(Term(measure=measure, weight=1),)).check(protocol)
            except SpaceError as error:
                raise SpaceError(f"Line {line}: {error}", field="objectives") from error
        plan.check(protocol)
        return plan


def plan_initial(plan: SearchPlan) -> dict[str, Any]:
    """What the form shows for a plan."""
    rungs = plan.rungs or RUNG_DEFAULTS
    return {
        "rungs": plan.rungs.by if plan.rungs else "off",
        "rungs_first": rungs.first,
        "rungs_factor": rungs.factor,
        "rungs_count": rungs.count,
        "median_stop": plan.median_stop,
        "random_arm": plan.random_arm,
        "standard_first": plan.standard_first,
        "inherit": plan.inherit,
        "prior": plan.prior,
        "reward": plan.reward,
        "text_model": plan.text_model,
        "objectives": "\n".join(f"{term.measure} {term.weight:g}" for term in plan.objectives),
        **plan.constraints.model_dump(),
        **budget_initial(plan.budget),
    }


def budget_initial(budget: Budget) -> dict[str, Any]:
    """What a form shows for a budget."""
    return {
        "budget_epochs": budget.epochs,
        "budget_minutes": _minutes(budget.seconds),
        "budget_worker_minutes": _minutes(budget.worker_seconds),
        "budget_target": budget.target,
        "budget_stale_trials": budget.stale_trials,
    }


def _seconds(minutes: float | None) -> float | None:
    return None if minutes is None else minutes * MINUTE


def _minutes(seconds: float | None) -> float | None:
    return None if seconds is None else seconds / MINUTE
