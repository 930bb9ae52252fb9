"""The parts of a search's page about its arms: what they spent, what the controller believed, and what the end says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from gnn.space import Decision, SearchSpace
from webapp.charts.controllers import (
    DIAGNOSTICS,
    beliefs_figure,
    critic_figure,
    diagnostics_figure,
    diagnostics_shown,
    entropy_figure,
    importance_figure,
)
from webapp.models import Arm, ControllerReport, Search
from webapp.selectors.arms import arms_at_work, controller_reports, critic_effect, rung_rows
from webapp.selectors.searches import metric_label, objective_of
from webapp.selectors.trials import decision_label

COMPARISON_KINDS = {
    "baseline": gettext_lazy("Baseline"),
    "runner_up": gettext_lazy("Runner-up"),
    "random_arm": gettext_lazy("Random search"),
}

COLLAPSED = 0.5
"""Share of repeated draws above which the controllers themselves take the policy for collapsed, and raise its entropy bonus."""

LEARNED = ("ppo", "reinforce")
"""Controllers with a policy and a critic."""

MEANINGS = {
    "ppo": gettext_lazy("The probability of a choice under the policy, over architectures that it draws."),
    "reinforce": gettext_lazy("The probability of a choice under the policy, over architectures that it draws."),
    "evolution": gettext_lazy("The share of a choice in the population, which is the newest trials."),
    "tpe": gettext_lazy("The share of a choice among the best tenth of the trials."),
    "random": gettext_lazy("Random search believes nothing: every choice stays as likely as the others."),
}
"""What the probabilities of a controller's report are."""


@require_safe
def search_arms(request: HttpRequest, search_id: int) -> HttpResponse:
    """Arms, rungs, comparisons and importance as a fragment."""
    search = get_object_or_404(Search, pk=search_id)
    return render(request, "searches/arms.html", arms_context(search, arms_at_work(search)))


@require_safe
def search_controller(request: HttpRequest, search_id: int) -> HttpResponse:
    """What the controller believed, as a fragment; of the decision ``?decision=`` or of the one that moved most."""
    search = get_object_or_404(Search, pk=search_id)
    reports = controller_reports(search)
    groups: dict[str, list[Decision]] = {}
    for decision in SearchSpace.from_json(search.space).decisions:
        groups.setdefault(decision.name.partition(".")[0], []).append(decision)
    chosen = request.GET.get("decision", "")
    chosen = chosen if chosen in groups else max(groups, key=lambda name: _moved(reports, groups[name]))
    effect = critic_effect(search) if search.controller in LEARNED else None
    newest = reports[-1].diagnostics if reports else {}
    context = {
        "search": search,
        "reports": reports,
        "meaning": MEANINGS[search.controller],
        "entropy_figure": entropy_figure(reports, [decision for some in groups.values() for decision in some]),
        "diagnostics": [(*DIAGNOSTICS[name], newest.get(name)) for name in diagnostics_shown(reports)],
        "is_collapsed": newest.get("repeat_rate", 0.0) > COLLAPSED,
        "critic_difference": effect.difference() if effect else None,
        "critic_figure": critic_figure(effect, label=metric_label(objective_of(search))) if effect and effect.chosen else None,
        "decisions": [(name, decision_label(name)) for name in groups],
        "chosen": chosen,
        "chosen_label": decision_label(chosen),
        "beliefs_figure": beliefs_figure(reports, groups[chosen]),
        "diagnostics_figure": diagnostics_figure(reports),
    }
    return render(request, "searches/controller.html", context)


def arms_context(search: Search, arms: Sequence[Arm]) -> dict[str, Any]:
    return {
        "search": search,
        "arms": arms,
        "rungs": rung_rows(search, arms),
        "comparisons": [(COMPARISON_KINDS[row["kind"]], row) for row in search.comparisons if row["kind"] in COMPARISON_KINDS],
        "importance_figure": importance_figure(search.importance) if any(search.importance.values()) else None,
    }


def _moved(reports: Sequence[ControllerReport], decisions: Sequence[Decision]) -> float:
    """The largest change of a probability from the first report to the newest."""
    if not reports:
        return 0.0
    first, newest = reports[0].marginals, reports[-1].marginals
    return max(
        abs(float(after) - float(before))
        for decision in decisions
        for before, after in zip(first[decision.name], newest[decision.name], strict=True)
    )
