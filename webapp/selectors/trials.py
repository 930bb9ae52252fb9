"""What pages read about the trials of a search; every answer is bounded."""

from __future__ import annotations

from typing import Any

from django.db.models import Case, Q, QuerySet, When
from django.utils.translation import gettext

from gnn.catalogue import CATALOGUE, LABELS
from gnn.space import Architecture, choice_text
from webapp.enums import RunState, SearchState
from webapp.models import FinalistRun, Search, Trial, TrialEpoch
from webapp.selectors.searches import mean_and_sd

CURVE_EPOCHS = 20_000
UNSCORED = (RunState.FAILED, RunState.STOPPED)
"""A failed trial's reward is a penalty told to the controller, not a score."""


def trials_listed(search: Search, *, state: str = "", arm: str = "") -> QuerySet[Any]:
    """Trials of a search; ``shown`` of each is its score, None where it has none."""
    trials = Trial.objects.filter(search=search).defer("behaviour")
    if state:
        trials = trials.filter(state=state)
    if arm:
        trials = trials.filter(arm=arm)
    return trials.annotate(shown=Case(When(~Q(state__in=UNSCORED), then="reward")))


def trial_to_vary(search: Search, number: str) -> Trial | None:
    """The trial of that number, or the newest where ``number`` is none; for its architecture alone."""
    trials = Trial.objects.filter(search=search).order_by("-number").only("number", "architecture", "search")
    if number.isascii() and number.isdecimal() and len(number) < 10:
        trials = trials.filter(number=int(number))
    return trials.first()


def trial_curve(trial: Trial, *, after: int = 0) -> list[TrialEpoch]:
    """Epochs after ``after``, in order."""
    return list(epochs_listed(trial).filter(epoch__gt=after)[:CURVE_EPOCHS])


def epochs_listed(trial: Trial) -> QuerySet[TrialEpoch]:
    """The learning curve of a trial, in order."""
    return TrialEpoch.objects.filter(trial=trial).order_by("epoch")


def trial_latest(trial: Trial, metric: str) -> float | None:
    """The metric at the newest epoch of a trial that still runs."""
    if trial.state != RunState.RUNNING:
        return None
    scores = TrialEpoch.objects.filter(trial=trial).order_by("-epoch").values_list("scores", flat=True).first()
    return None if scores is None else scores.get(metric)


def trial_test_scores(trial: Trial) -> tuple[list[FinalistRun], dict[str, tuple[float, float]] | None]:
    """The seeds of a finalist, and its test scores once the search has finished."""
    runs = list(FinalistRun.objects.filter(trial=trial).defer("test_users").order_by("id"))
    done = [run for run in runs if run.state == RunState.COMPLETED]
    shown = trial.search.state == SearchState.FINISHED and done
    return runs, mean_and_sd([run.test_scores for run in done]) if shown else None


def decision_rows(architecture: Architecture) -> list[tuple[str, str]]:
    """Every decision of the architecture as (label, choice), in words."""
    # The database keeps JSON without its order, so the catalogue gives it again.
    rows = []
    for entry in CATALOGUE.values():
        for name, choice in sorted(architecture.choices):
            if name.partition(".")[0] == entry.name:
                rows.append((decision_label(name), LABELS.get(str(choice), choice_text(choice))))
    return rows


def decision_label(name: str) -> str:
    """``operator.2`` as people write it: its label in the catalogue, and the layer."""
    base, _, layer = name.partition(".")
    label = gettext(CATALOGUE[base].label)
    return gettext("%(decision)s, layer %(layer)s") % {"decision": label, "layer": layer} if layer else label
