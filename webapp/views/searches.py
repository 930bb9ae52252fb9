from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from gnn.protocol import Protocol
from gnn.space import SearchSpace
from webapp.charts.architectures import draw_architecture
from webapp.charts.searches import new_traces, reward_curve, reward_figure
from webapp.enums import SearchState
from webapp.forms.searches import protocol_words
from webapp.forms.spaces import choice_label
from webapp.models import Arm, Search
from webapp.queue import TRIALS_QUEUE
from webapp.selectors.arms import arms_at_work
from webapp.selectors.budgets import BudgetLine, budget_lines, seconds_left
from webapp.selectors.dataset_attributes import features_words
from webapp.selectors.searches import (
    CONTROLLER_LABELS,
    MAIN_METRICS,
    BaselineState,
    Progress,
    leaderboard,
    objective_of,
    planned_total,
    progress,
    reward_label,
    rewards_metric,
    search_counts,
    search_rows,
    searches_page,
    validation_verdict,
)
from webapp.selectors.searches_live import POINTS_AT_ONCE, curve_points, in_flight, last_told, points_after
from webapp.selectors.trials import decision_label, decision_rows
from webapp.selectors.workers import workers_alive
from webapp.services.errors import Conflict
from webapp.services.searches import (
    search_finish_now,
    search_pause,
    search_resume,
    search_stop,
)
from webapp.templatetags.display import duration, score
from webapp.views.listing import list_filter
from webapp.views.paging import page_numbers, search_text
from webapp.views.search_arms import arms_context
from webapp.views.search_trials import trials_context

ACTIONS: dict[str, tuple[Callable[..., Search], str | Promise]] = {
    "pause": (search_pause, gettext_lazy("Paused. Running trials keep their progress and go on after Resume.")),
    "resume": (search_resume, gettext_lazy("Running again.")),
    "stop": (search_stop, gettext_lazy("Stopped. What was scored stays here; nothing was tested.")),
    "finish": (search_finish_now, gettext_lazy("Finishing: running trials end, then the best are tested.")),
}

BUDGET_LABELS = {
    "trials": gettext_lazy("Trials left"),
    "epochs": gettext_lazy("Epochs left"),
    "seconds": gettext_lazy("Time left in the budget"),
    "worker_seconds": gettext_lazy("Worker time left"),
    "stale_trials": gettext_lazy("Trials left to find a better one"),
    "target": gettext_lazy("Best on the way to the target"),
}

LIVE_MS = {SearchState.RUNNING: 1500, SearchState.FINISHING: 1500, SearchState.PAUSED: 5000}
"""How soon a page should ask again; a state that is not here never changes by itself."""


@require_safe
def search_list(request: HttpRequest) -> HttpResponse:
    text, state = search_text(request), request.GET.get("state", "")
    state = state if state in SearchState.values else ""
    narrowed = list_filter(request, Search)
    page = searches_page(text=text, state=state, page=request.GET.get("page", 1), tag=narrowed.tag, archived=narrowed.archived)
    counts = search_counts(tag=narrowed.tag, archived=narrowed.archived)
    context = {
        "page": page,
        "rows": search_rows(list(page)),
        "page_numbers": page_numbers(page),
        "q": text,
        "filter": narrowed,
        "state": state,
        "total": sum(counts.values()),
        "states": [(value, label, counts.get(value, 0)) for value, label in SearchState.choices],
        "controllers": CONTROLLER_LABELS,
    }
    return render(request, "searches/list.html", context)


@require_safe
def search_page(request: HttpRequest, search_id: int) -> HttpResponse:
    search = _search(search_id)
    space = SearchSpace.from_json(search.space)
    points = curve_points(search)
    state, arms = progress(search), arms_at_work(search)
    figure = reward_figure(reward_curve(points), _references(search, state), label=reward_label(search), planned=planned_total(search))
    context = {
        "figure": figure,
        "cursor": last_told(points),
        "retry_ms": LIVE_MS.get(SearchState(search.state)),
        "version": _version(state, last_told(points)),
        "frozen_space": space,
        "protocol_words": protocol_words(Protocol.from_json(search.protocol)),
        "space_words": [(decision_label(spec.name), ", ".join(map(choice_label, spec.choices))) for spec in space.specs],
        **_head_context(search, state, arms),
        **_results_context(search, state),
        **trials_context(request, search),
        **arms_context(search, arms),
    }
    return render(request, "searches/detail.html", context)


@require_safe
def search_head(request: HttpRequest, search_id: int) -> HttpResponse:
    """The head of the page as a fragment: state, progress and what can be done."""
    search = _search(search_id)
    return render(request, "searches/head.html", _head_context(search, progress(search), arms_at_work(search)))


@require_safe
def search_results(request: HttpRequest, search_id: int) -> HttpResponse:
    """Leaderboard, best architecture, baselines and finalists as a fragment."""
    search = _search(search_id)
    return render(request, "searches/results.html", _results_context(search, progress(search)))


@require_safe
def search_live(request: HttpRequest, search_id: int) -> JsonResponse:
    """What changed after the cursor ``?after=``, for a page that is open."""
    after = request.GET.get("after", "0")
    if not after.isascii() or not after.isdecimal() or len(after) > 9:
        return JsonResponse({"error": f"'after' must be a whole number, but is {after[:40]!r}."}, status=400)
    search = _search(search_id)
    points, best = points_after(search, cursor=int(after))
    cursor = max(int(after), last_told(points))
    state, arms = progress(search), arms_at_work(search)
    live_ms = LIVE_MS.get(SearchState(search.state))
    # A page that slept through the end of a long search still has outcomes to fetch.
    retry_ms = LIVE_MS[SearchState.RUNNING] if live_ms is None and len(points) == POINTS_AT_ONCE else live_ms
    curve = reward_curve(points, best=best)
    answer = {
        "cursor": cursor,
        "retry_ms": retry_ms,
        "version": _version(state, cursor),
        "fields": _live_fields(search, state, arms),
        "percent": round(state.percent, 1),
        "series": curve.to_json(),
        "traces": new_traces(curve, _references(search, state), label=reward_label(search), until=planned_total(search)),
        "rows": [
            {
                "url": reverse("trial", args=[search.pk, trial.number]),
                "name": gettext("Trial %(number)s") % {"number": trial.number},
                "state": trial.state_label,
                "description": trial.description,
                "epoch": gettext("epoch %(epoch)s of %(all)s") % {"epoch": trial.epoch, "all": trial.max_epochs} if trial.epoch else "",
                "percent": round(100 * trial.epoch / trial.max_epochs, 1),
                "score": score(trial.score),
            }
            for trial in in_flight(search)
        ]
        if live_ms
        else [],
    }
    return JsonResponse(answer)


@require_POST
def search_action(request: HttpRequest, search_id: int, action: str) -> HttpResponse:
    """Pause, resume, stop or finish; a Conflict becomes a message."""
    search = _search(search_id)
    act, done = ACTIONS[action]
    try:
        act(search_id=search.pk)
    except Conflict as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, str(done))
    return redirect("search", search.pk)


def _search(search_id: int) -> Search:
    return get_object_or_404(Search.objects.select_related("dataset", "owner"), pk=search_id)


def _references(search: Search, state: Progress) -> Sequence[BaselineState]:
    """The baselines that may stand beside rewards: they are measured by the metric alone."""
    return state.baselines if rewards_metric(search) else ()


def _version(state: Progress, cursor: int) -> str:
    """Changes whenever the parts of the page that are not numbers have to be fetched again."""
    baselines = ",".join(baseline.state for baseline in state.baselines)
    trials = ",".join(f"{name}={count}" for name, count in sorted(state.by_state.items()))
    return f"{state.state}:{cursor}:{state.planned}:{trials}:{baselines}:{state.finalist_runs_done}/{state.finalist_runs}"


def _live_fields(search: Search, state: Progress, arms: Sequence[Arm]) -> dict[str, str]:
    """Texts of the head that change with every answer, by the name of the place they go to."""
    return {
        "done": str(state.done),
        "planned": str(state.planned),
        "running": str(state.running),
        "failed": str(state.failed),
        "best": score(state.best.score if state.best else None),
        "elapsed": duration(state.elapsed),
        "eta": duration(seconds_left(search, state, arms)),
        **{f"left-{line.name}": budget_left(line) for line in budget_lines(search, state, arms)},
    }


def budget_left(line: BudgetLine) -> str:
    """What is left of a budget, in words."""
    if line.unit == "score":
        return gettext("%(reached)s of %(target)s") % {"reached": score(line.spent), "target": score(line.limit)}
    left, limit = (duration(value) if line.unit == "seconds" else f"{value:,.0f}" for value in (line.left, line.limit))
    return gettext("%(left)s of %(limit)s") % {"left": left, "limit": limit}


def _head_context(search: Search, state: Progress, arms: Sequence[Arm]) -> dict[str, Any]:
    lines = budget_lines(search, state, arms)
    workers = workers_alive(queue=TRIALS_QUEUE).exists() if search.state in (SearchState.RUNNING, SearchState.FINISHING) else True
    return {
        "search": search,
        "progress": state,
        "fields": _live_fields(search, state, arms),
        "budgets": [
            {"name": line.name, "label": BUDGET_LABELS[line.name], "left": budget_left(line), "percent": line.percent} for line in lines
        ],
        "show_budgets": search.state in LIVE_MS,
        "objective": objective_of(search),
        "reward_label": reward_label(search),
        "controller": CONTROLLER_LABELS.get(search.controller, search.controller),
        "features": features_words(search),
        "workers_alive": workers,
    }


def _results_context(search: Search, state: Progress) -> dict[str, Any]:
    rows = leaderboard(search)
    objective = objective_of(search)
    k = objective.partition("@")[2]
    best = state.best.architecture if state.best else None
    return {
        "search": search,
        "progress": state,
        "rows": rows,
        "objective": objective,
        # The objective comes first, the other metrics at its K after it.
        "metrics": [objective, *(f"{name}@{k}" for name in MAIN_METRICS if f"{name}@{k}" != objective)],
        "verdict": validation_verdict(rows, objective),
        "finished": search.state == SearchState.FINISHED,
        "tested": [row for row in rows if row.test_scores is not None],
        "best_decisions": decision_rows(best) if best else [],
        "best_drawing": draw_architecture(best) if best else None,
    }
