"""The parts of a search's page about its arms: what they spent, what the controller believed, and what the end says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from gnn.catalogue import CATALOGUE
from gnn.space import Decision, SearchSpace
from webapp.charts.controllers import beliefs_figure, diagnostics_figure, importance_figure
from webapp.models import ControllerReport, Search
from webapp.selectors.arms import arms_at_work, controller_reports, rung_rows

COMPARISON_KINDS = {"baseline": "Baseline", "runner_up": "Runner-up", "random_arm": "Random search"}


@require_safe
def search_arms(request: HttpRequest, search_id: int) -> HttpResponse:
    """Arms, rungs, comparisons and importance as a fragment."""
    return render(request, "searches/arms.html", arms_context(get_object_or_404(Search, pk=search_id)))


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
    context = {
        "search": search,
        "reports": reports,
        "decisions": [(name, CATALOGUE[name].label) for name in groups],
        "chosen": chosen,
        "chosen_label": CATALOGUE[chosen].label,
        "beliefs_figure": beliefs_figure(reports, groups[chosen]),
        "diagnostics_figure": diagnostics_figure(reports),
    }
    return render(request, "searches/controller.html", context)


def arms_context(search: Search) -> dict[str, Any]:
    arms = arms_at_work(search)
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
