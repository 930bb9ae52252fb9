"""Two to five trials, or searches, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from gnn.catalogue import describe
from gnn.slices import Slices
from gnn.space import Architecture
from webapp.charts.architectures import draw_architecture
from webapp.charts.compare import Line, lines_figure, thinned
from webapp.models import Search, Trial
from webapp.selectors.comparable import judged
from webapp.selectors.compare import (
    DiffRow,
    best_so_far,
    best_trials,
    contests,
    curves_of,
    decision_diff,
    differences,
    means_on_test,
    searches_compared,
    settings_diff,
    space_diff,
    trials_compared,
)
from webapp.selectors.leaderboard import Measured
from webapp.selectors.searches import CONTROLLER_LABELS, METRIC_LABELS, objective_of, search_rows
from webapp.views.leaderboard import judged_words

FEWEST, MOST = 2, 5
LONGEST_NUMBER = 18
"""Digits that a database id may have."""

WARNINGS = {
    "dataset": gettext_lazy("They are of different datasets."),
    "protocol": gettext_lazy("They hold out different interactions."),
    "metric": gettext_lazy("They maximise different metrics, and each stopped training by its own."),
}
SETTING_LABELS = {
    "controller": gettext_lazy("Controller"), "planned_trials": gettext_lazy("Planned trials"), "seed": gettext_lazy("Seed"),
    "split": gettext_lazy("Split"), "valid_fraction": gettext_lazy("Validation share"), "test_fraction": gettext_lazy("Test share"),
    "folds": gettext_lazy("Parts of a cross-validation"), "fold": gettext_lazy("Part that tests"),
    "valid_fold": gettext_lazy("Part that validates"), "metric": gettext_lazy("Metric"), "k": gettext_lazy("K"),
    "ks": gettext_lazy("Reported at K"), "max_epochs": gettext_lazy("Epochs at most"), "patience": gettext_lazy("Patience"),
    "finalists": gettext_lazy("Finalists"), "finalist_seeds": gettext_lazy("Seeds of a finalist"), "split_seed": gettext_lazy("Split seed"),
    "rungs": gettext_lazy("Rungs"), "median_stop": gettext_lazy("Median stop"), "random_arm": gettext_lazy("Random search beside it"),
    "inherit": gettext_lazy("Inherit embeddings"), "standard_first": gettext_lazy("Standard architectures first"),
    "prior": gettext_lazy("Learn from earlier searches"),
    "objectives": gettext_lazy("Objectives"), "constraints": gettext_lazy("Constraints"), "budget": gettext_lazy("Budget"),
    "reward": gettext_lazy("Reward"), "text_model": gettext_lazy("Language model"),
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What an address asks to compare, and what is wrong with that."""

    kind: str
    """trial or search."""
    ids: Sequence[int]
    problem: str


@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """``?trial=ID&trial=ID…`` or ``?search=ID&search=ID…``."""
    asked = _asked(request)
    if asked.problem or not asked.ids:
        return render(request, "compare/empty.html", {"problem": asked.problem})
    if asked.kind == "trial":
        trials = trials_compared(asked.ids)
        missing = _missing(asked, {trial.pk for trial in trials})
        if len(trials) >= FEWEST:
            return render(request, "compare/trials.html", {"missing": missing, **_trials_context(trials)})
    else:
        searches = searches_compared(asked.ids)
        missing = _missing(asked, {search.pk for search in searches})
        if len(searches) >= FEWEST:
            return render(request, "compare/searches.html", {"missing": missing, **_searches_context(searches)})
    return render(request, "compare/empty.html", {"problem": f"{missing} {_('So there is nothing left to compare.')}"})


def _asked(request: HttpRequest) -> Asked:
    trials, searches = request.GET.getlist("trial"), request.GET.getlist("search")
    kind, texts = ("trial", trials) if trials else ("search", searches)
    if trials and searches:
        return Asked(kind, (), _("Compare either trials or searches, not both at once."))
    wrong = [text for text in texts if not (text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER)]
    if wrong:
        return Asked(kind, (), _("An id is a whole number, but one of these is %(text)r.") % {"text": wrong[0][:40]})
    ids = tuple(dict.fromkeys(map(int, texts)))
    if ids and not FEWEST <= len(ids) <= MOST:
        count = (
            _("%(n)s were chosen. Choose from two to five.") % {"n": len(ids)}
            if len(ids) > 1
            else _("Only one was chosen. Choose from two to five.")
        )
        return Asked(kind, (), count)
    return Asked(kind, ids, "")


def _missing(asked: Asked, there: set[int]) -> str:
    """Which of the ids are of nothing, in a sentence; empty where all are there."""
    gone = [str(number) for number in asked.ids if number not in there]
    if not gone:
        return ""
    if asked.kind == "trial":
        text = ngettext(
            "Trial id %(ids)s is of no trial, or of one that was deleted.",
            "Trial ids %(ids)s are of no trials, or of deleted ones.",
            len(gone),
        )
    else:
        text = ngettext(
            "Search id %(ids)s is of no search, or of one that was deleted.",
            "Search ids %(ids)s are of no searches, or of deleted ones.",
            len(gone),
        )
    return text % {"ids": ", ".join(gone)}


def _trials_context(trials: Sequence[Trial]) -> dict[str, Any]:
    searches = list({trial.search_id: trial.search for trial in trials}.values())
    metric = objective_of(trials[0].search)
    labels = [_label(trial, one_search=len(searches) == 1) for trial in trials]
    curves = curves_of(trials, metric)
    lines = [thinned(Line(label, *curves[trial.pk])) for label, trial in zip(labels, trials, strict=True)]
    means = means_on_test(trials, metric)
    names = dict(zip((trial.pk for trial in trials), labels, strict=True))
    return {
        "trials": list(zip(trials, labels, strict=True)),
        "warnings": _warnings(searches),
        "metric": metric,
        "figures": [("curves", _("Learning curves"), lines_figure(lines, metric=metric, axis=_("Epoch")))],
        "decisions": decision_diff([trial.architecture for trial in trials]),
        "drawings": [
            (
                label,
                draw_architecture(Architecture.of(trial.architecture), name=f"trial-{trial.pk}"),
                describe(Architecture.of(trial.architecture)),
            )
            for trial, label in zip(trials, labels, strict=True)
        ],
        "search": searches[0] if len(searches) == 1 else None,
        "tests": [means.get(trial.pk) for trial in trials] if means else [],
        "scores": [_measured(trial, metric) for trial in trials],
        "contests": [(names[one.first.pk], names[one.other.pk], one.result) for one in contests(trials)],
    }


def _searches_context(searches: Sequence[Search]) -> dict[str, Any]:
    metric = objective_of(searches[0])
    best, reached = best_trials(searches), [best_so_far(search) for search in searches]
    tops = [best[search.pk] for search in searches if search.pk in best]
    by_epochs = [Line(search.name[:60], one.epochs, one.best) for search, one in zip(searches, reached, strict=True)]
    by_seconds = [Line(search.name[:60], one.seconds, one.best) for search, one in zip(searches, reached, strict=True)]
    rows = {row.search.pk: row for row in search_rows(searches)}
    settings = [
        DiffRow(str(SETTING_LABELS.get(name, name.replace("_", " ").capitalize())), [_words(value) for value in values])
        for name, values in settings_diff(searches)
    ]
    return {
        "searches": [(search, rows[search.pk], best.get(search.pk), judged_words(judged(search))) for search in searches],
        "warnings": _warnings(searches),
        "metric": metric,
        "figures": [
            ("by-epochs", _("Best so far by epochs"), lines_figure(by_epochs, metric=metric, axis=_("Epochs trained"), steps=True)),
            (
                "by-seconds",
                _("Best so far by training time"),
                lines_figure(by_seconds, metric=metric, axis=_("Seconds of training"), steps=True),
            ),
        ],
        "settings": settings,
        "space": space_diff(searches),
        "tops": [(trial, trial.search.name) for trial in tops],
        "decisions": decision_diff([trial.architecture for trial in tops]),
        "compare_tops": len(tops) >= FEWEST,
    }


def _label(trial: Trial, *, one_search: bool) -> str:
    if one_search:
        return _("Trial %(number)s") % {"number": trial.number}
    return _("Trial %(number)s of %(search)s") % {"number": trial.number, "search": trial.search.name[:40]}


def _measured(trial: Trial, metric: str) -> Measured | None:
    """The validation score with its interval; None without a score."""
    slices = Slices.from_json(trial.slices)
    return Measured(trial.scores[metric], slices.errors.get(metric) if slices else None) if metric in trial.scores else None


def _warnings(searches: Sequence[Search]) -> list[str]:
    """Why scores of these do not compare; empty where they do."""
    found = differences(searches)
    return [str(text) for name, text in WARNINGS.items() if name in found]


def _words(value: Any) -> str:
    """A setting for people; nested ones as name and value."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_words(one)}" for name, one in value.items() if one is not None)
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value))
    return CONTROLLER_LABELS.get(value, METRIC_LABELS.get(value, str(value).replace("_", " "))) if isinstance(value, str) else str(value)
