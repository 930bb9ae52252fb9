"""Pages that change a search which has started."""

from __future__ import annotations

import json

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from gnn.errors import SpaceError
from gnn.space import SearchSpace
from webapp.forms.search_changes import EnqueueForm, ExtendForm, architecture_text
from webapp.models import Search
from webapp.selectors.rounds import plan_of
from webapp.selectors.trials import trial_to_vary
from webapp.services.errors import Conflict
from webapp.services.searches import search_enqueue, search_extend


@require_http_methods(["GET", "HEAD", "POST"])
def search_more(request: HttpRequest, search_id: int) -> HttpResponse:
    """Plan more trials, or give the search another budget."""
    search = get_object_or_404(Search, pk=search_id)
    form = ExtendForm(
        request.POST if request.method == "POST" else None, initial=ExtendForm.initial_of(search.planned_trials, plan_of(search))
    )
    if request.method == "POST" and form.is_valid():
        cleaned = form.cleaned_data
        try:
            search = search_extend(search_id=search.pk, trials=cleaned["trials"], budget=form.budget(), seen=cleaned["seen"])
        except SpaceError as error:
            form.add_space_error(error)
        except Conflict as error:
            messages.warning(request, str(error))
            return redirect("search", search.pk)
        else:
            messages.success(request, f"Extended: {search.planned_trials} trials are planned in each arm.")
            return redirect("search", search.pk)
    return render(request, "searches/extend.html", {"search": search, "form": form})


@require_http_methods(["GET", "HEAD", "POST"])
def search_by_hand(request: HttpRequest, search_id: int) -> HttpResponse:
    """Train an architecture that a person wrote; ``?trial=`` starts from that of a trial, the newest otherwise."""
    search = get_object_or_404(Search, pk=search_id)
    space = SearchSpace.from_json(search.space)
    model = trial_to_vary(search, request.GET.get("trial", ""))
    initial = {"architecture": architecture_text(space, model.architecture)} if model else {}
    form = EnqueueForm(request.POST if request.method == "POST" else None, initial=initial, space=space)
    if request.method == "POST" and form.is_valid():
        try:
            trial = search_enqueue(search_id=search.pk, architecture=form.cleaned_data["architecture"])
        except (SpaceError, Conflict) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Trial {trial.number} is queued.")
            return redirect("trial", search.pk, trial.number)
    offered = [(f"{spec.name}.1, .2, …" if spec.per else spec.name, json.dumps(spec.choices)[1:-1]) for spec in space.specs]
    return render(request, "searches/enqueue.html", {"search": search, "offered": offered, "form": form, "model": model})
