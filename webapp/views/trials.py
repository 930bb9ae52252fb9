from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from gnn.catalogue import describe
from gnn.protocol import Protocol
from gnn.space import Architecture
from webapp.charts.architectures import draw_architecture
from webapp.charts.trials import epoch_series, loss_figure, metrics_figure, thin
from webapp.enums import RunState, SearchState
from webapp.models import Trial
from webapp.selectors.reproduce import reproduction
from webapp.selectors.rounds import plan_of
from webapp.selectors.searches import MAIN_METRICS
from webapp.selectors.trial_events import trial_events
from webapp.selectors.trials import decision_rows, trial_curve, trial_latest, trial_test_scores
from webapp.templatetags.display import duration, score
from webapp.views.metric_table import metric_table

LIVE_MS = 1500
LONGEST_MESSAGE = 4000


@require_safe
def trial_page(request: HttpRequest, search_id: int, number: int) -> HttpResponse:
    trial = trial_of(search_id, number)
    protocol = Protocol.from_json(trial.search.protocol)
    epochs = trial_curve(trial)
    series = epoch_series(thin(epochs), _metrics(protocol))
    context = {
        "loss_figure": loss_figure(series),
        "metrics_figure": metrics_figure(series, objective=protocol.objective, best_epoch=trial.best_epoch),
        "has_curve": bool(epochs),
        "cursor": epochs[-1].epoch if epochs else 0,
        "retry_ms": _retry_ms(trial),
        "version": _version(trial),
        "reproduction": reproduction(trial),
        **_facts_context(trial, protocol),
    }
    return render(request, "trials/detail.html", context)


@require_safe
def trial_architecture(request: HttpRequest, search_id: int, number: int) -> JsonResponse:
    """The choices of the architecture as a file, as ``python -m gnn fit --arch`` takes it."""
    trial = trial_of(search_id, number)
    response = JsonResponse(dict(sorted(trial.architecture.items())), json_dumps_params={"indent": 2})
    response["Content-Disposition"] = f'attachment; filename="search-{search_id}-trial-{number}.json"'
    return response


@require_safe
def trial_facts(request: HttpRequest, search_id: int, number: int) -> HttpResponse:
    """State, scores and decisions as a fragment."""
    trial = trial_of(search_id, number)
    return render(request, "trials/facts.html", _facts_context(trial, Protocol.from_json(trial.search.protocol)))


@require_safe
def trial_live(request: HttpRequest, search_id: int, number: int) -> JsonResponse:
    """Epochs after the cursor ``?after=``, for a page that is open."""
    after = request.GET.get("after", "0")
    if not after.isascii() or not after.isdecimal() or len(after) > 9:
        return JsonResponse({"error": f"'after' must be a whole number, but is {after[:40]!r}."}, status=400)
    trial = trial_of(search_id, number)
    protocol = Protocol.from_json(trial.search.protocol)
    epochs = trial_curve(trial, after=int(after))
    newest = epochs[-1].scores.get(protocol.objective) if epochs else None
    answer = {
        "cursor": epochs[-1].epoch if epochs else int(after),
        "retry_ms": _retry_ms(trial),
        "version": _version(trial),
        "fields": {"epochs": str(trial.epochs)} | ({"latest": score(newest)} if newest is not None else {}),
        "series": epoch_series(epochs, _metrics(protocol)),
    }
    return JsonResponse(answer)


def trial_of(search_id: int, number: int) -> Trial:
    """The trial with its search and dataset, or 404."""
    trials = Trial.objects.select_related("search__dataset", "same_as", "inherited_from").defer("behaviour")
    return get_object_or_404(trials, search=search_id, number=number)


def _metrics(protocol: Protocol) -> list[str]:
    """The metrics drawn by epoch, at the objective's K: the main ones and the objective."""
    return [f"{name}@{protocol.k}" for name in dict.fromkeys((*MAIN_METRICS, protocol.metric))]


def _retry_ms(trial: Trial) -> int | None:
    waiting = trial.state in (RunState.QUEUED, RunState.RUNNING)
    return LIVE_MS if waiting and trial.search.state in (SearchState.RUNNING, SearchState.FINISHING, SearchState.PAUSED) else None


def _version(trial: Trial) -> str:
    return f"{trial.state}:{trial.attempt}:{trial.search.state}"


def _facts_context(trial: Trial, protocol: Protocol) -> dict[str, Any]:
    architecture = Architecture.of(trial.architecture)
    runs, tested = trial_test_scores(trial)
    rungs = plan_of(trial.search).rungs
    message, _, failing_line = trial.message[:LONGEST_MESSAGE].partition("\n")
    return {
        "trial": trial,
        "search": trial.search,
        "objective": protocol.objective,
        "max_epochs": protocol.max_epochs,
        "cutoffs": protocol.cutoffs,
        "rung": trial.rung + 1,
        "rungs": len(rungs.epochs(protocol.max_epochs)) if rungs else 0,
        "table": metric_table(trial.scores, protocol),
        "test_table": None if tested is None else metric_table(tested, protocol),
        "latest": trial_latest(trial, protocol.objective),
        "finalist_runs": runs,
        "tested_seeds": sum(run.state == RunState.COMPLETED for run in runs),
        "events": trial_events(trial),
        "message": message,
        "failing_line": failing_line,
        "architecture_json": json.dumps(dict(sorted(trial.architecture.items())), indent=2),
        "description": describe(architecture),
        "decisions": decision_rows(architecture),
        "drawing": draw_architecture(architecture),
        "train_time": duration(trial.train_seconds),
    }
