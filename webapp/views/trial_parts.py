"""Parts of a trial's page that are read when they come into view, and what can be tried from it."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from gnn.catalogue import LABELS
from gnn.errors import SpaceError
from gnn.protocol import Protocol
from gnn.space import Choice, SearchSpace, choice_text
from webapp.charts.slices import slice_bars, slice_label, slices_figure
from webapp.enums import ModelState, SearchState
from webapp.models import ModelVersion
from webapp.scoring import ScoringDown, ask
from webapp.selectors.ablation import ablations, alternatives, varied
from webapp.selectors.slices import tested_slices, validation_slices
from webapp.selectors.trials import decision_label, trial_test_scores
from webapp.services.errors import Conflict
from webapp.services.searches import search_enqueue
from webapp.views.trials import trial_of

USERS = gettext_lazy("Training interactions of the user")
ITEMS = gettext_lazy("Training interactions of the item")
SAMPLE_USERS = 3
SAMPLE_ITEMS = 5


@require_safe
def trial_slices(request: HttpRequest, search_id: int, number: int) -> HttpResponse:
    """The scores by activity of users and popularity of items."""
    trial = trial_of(search_id, number)
    protocol = Protocol.from_json(trial.search.protocol)
    metric, share = protocol.objective, f"recall@{protocol.k}"
    runs, _scores = trial_test_scores(trial)
    valid, tested = validation_slices(trial), tested_slices(trial, runs)
    this = _("Trial %(number)s") % {"number": number}
    models = [(one.label or this, one.slices) for one in tested]
    wanted = [
        ("activity-valid", _("By activity of users, on validation"), metric, [(this, valid.activity)] if valid else [], USERS),
        ("activity-test", _("By activity of users, on test"), metric, [(label, one.activity) for label, one in models], USERS),
        ("popularity-test", _("By popularity of items, on test"), share, [(label, one.popularity) for label, one in models], ITEMS),
    ]
    figures = []
    for name, title, of, parts, axis in wanted:
        bars = slice_bars(parts, of)
        if bars:
            cells = zip(*(zip(model.y, model.half, strict=True) for model in bars), strict=False)
            rows = [(slice_label(part), part.size, some) for part, some in zip(parts[0][1], cells, strict=True)]
            figures.append((name, title, slices_figure(bars, metric=of, axis=str(axis)), {"models": bars, "rows": rows}))
    return render(request, "trials/slices.html", {"figures": figures, "tested": bool(tested), "trial": trial})


@require_safe
def trial_samples(request: HttpRequest, search_id: int, number: int) -> HttpResponse:
    """What the trial's model recommends to some users, where it is served; else how to come to it."""
    trial = trial_of(search_id, number)
    versions = ModelVersion.objects.filter(search=search_id, trial_number=number).exclude(bundle_blob="").select_related("model")
    version = versions.filter(state=ModelState.PROMOTED).order_by("-id").first() or versions.order_by("-id").first()
    context: dict[str, Any] = {"trial": trial, "search": trial.search, "version": version}
    if version is None:
        context["registrable"] = trial.search.state == SearchState.FINISHED and trial.finalist_runs.filter(state="completed").exists()
    elif version.state == ModelState.PROMOTED:
        context |= _sampled(version)
    return render(request, "trials/samples.html", context)


def _sampled(version: ModelVersion) -> dict[str, Any]:
    """Lists of a few users from the scoring process, or why there are none."""
    asked: dict[str, Any] = {"model": version.model.name, "allow": None, "deny": [], "where": [], "known": []}
    try:
        history = ask(asked | {"kind": "history", "user": "", "k": 1})
        if history.status != 200:
            return {"message": history.message}
        users = json.loads(history.body)["sample"][:SAMPLE_USERS]
        options = {"exclude_seen": True, "mmr_lambda": None, "explain": False, "fallback": "popularity"}
        found = ask(asked | options | {"kind": "users", "users": users, "k": SAMPLE_ITEMS})
    except ScoringDown:
        return {"message": _("The scoring process does not answer. It is started again by itself; try again in a few seconds.")}
    document = json.loads(found.body) if found.status == 200 else {}
    # Whichever version is promoted answers: it may have become another one meanwhile.
    return {"lists": document["lists"]} if document.get("version") == version.number else {"message": found.message}


@require_safe
def trial_ablations(request: HttpRequest, search_id: int, number: int) -> HttpResponse:
    """Trials that differ in one choice, and a form for another one."""
    trial = trial_of(search_id, number)
    space = SearchSpace.from_json(trial.search.space)
    rows = [
        (one, decision_label(one.decision), choice_words(one.choice), choice_words(trial.architecture[one.decision]))
        for one in ablations(trial)
    ]
    offered = [
        (
            decision_label(name),
            choice_words(trial.architecture[name]),
            [(f"{name}:{place}", choice_words(choice)) for place, choice in enumerate(choices)],
        )
        for name, choices in alternatives(space, trial.architecture)
    ]
    context = {
        "trial": trial,
        "search": trial.search,
        "rows": rows,
        "offered": offered,
        "open": trial.search.state in (SearchState.RUNNING, SearchState.PAUSED) and not trial.search.spent,
    }
    return render(request, "trials/ablations.html", context)


@require_POST
def trial_vary(request: HttpRequest, search_id: int, number: int) -> HttpResponse:
    """Enqueue the architecture with one choice changed; ``change`` is ``decision:place`` among its other choices."""
    trial = trial_of(search_id, number)
    decision, _colon, place = request.POST.get("change", "").rpartition(":")
    chosen = None
    if place.isascii() and place.isdecimal() and len(place) < 4:
        chosen = varied(SearchSpace.from_json(trial.search.space), trial.architecture, decision, int(place))
    if chosen is None:
        messages.warning(request, _("Choose one of the changes that are offered."))
        return redirect("trial", search_id, number)
    try:
        made = search_enqueue(search_id=search_id, architecture=chosen)
    except (SpaceError, Conflict) as error:
        messages.warning(request, str(error))
        return redirect("trial", search_id, number)
    messages.success(
        request, _("Trial %(number)s is queued: trial %(origin)s with one choice changed.") % {"number": made.number, "origin": number}
    )
    return redirect("trial", search_id, made.number)


def choice_words(choice: Choice) -> str:
    return LABELS.get(str(choice), choice_text(choice))
