"""The form of a new search."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from gnn.errors import SpaceError
from webapp.forms.searches import SearchForm
from webapp.models import Search
from webapp.queue import TRIALS_QUEUE
from webapp.selectors.costs import forecast, training_size, worker_rates
from webapp.selectors.search_alike import search_alike
from webapp.selectors.searches import CONTROLLER_LABELS, metric_label
from webapp.selectors.workers import workers_alive
from webapp.services.errors import Conflict
from webapp.services.searches import CONTROLLER_NAMES, search_start
from webapp.views.kept import form_kept, fragment_of_form, keeps_form


@keeps_form
@require_http_methods(["GET", "HEAD", "POST"])
def search_new(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        form = SearchForm(request.POST)
        if form.is_valid() and (search := _start(request, form)) is not None:
            return redirect("search", search.pk)
    elif (kept := form_kept(request)) is not None:
        form = SearchForm(kept)
    else:
        cloned = SearchForm.initial_of(_search_cloned(request.GET["clone"])) if "clone" in request.GET else {}
        form = SearchForm(
            initial=cloned | {name: request.GET[name] for name in ("dataset", "space_source", "split") if name in request.GET}
        )
    context = {
        "form": form,
        "controllers": [(name, CONTROLLER_LABELS.get(name, name), help_text) for name, help_text in CONTROLLER_NAMES.items()],
        "workers_alive": workers_alive(queue=TRIALS_QUEUE).exists(),
        "has_datasets": form.fields["dataset"].queryset.exists(),  # type: ignore[attr-defined]
    }
    if not form.is_bound and (unknown := form.unknown_initial()):
        messages.warning(request, unknown)
    return render(request, "searches/new.html", context)


@fragment_of_form
@require_POST
def search_summary(request: HttpRequest) -> HttpResponse:
    """What the search being filled in would be and take, as a fragment; starts nothing."""
    form = SearchForm(request.POST)
    form.is_valid()
    context: dict[str, Any] = {"form": form, "wrong": len(form.errors)}
    dataset = form.cleaned_data.get("dataset")
    if form.space is not None:
        context["size"] = form.space.size
    if form.is_valid() and form.space is not None and form.protocol is not None and form.plan is not None and dataset is not None:
        cleaned, plan = form.cleaned_data, form.plan
        if cleaned["controller"] == "random":
            plan = plan.model_copy(update={"random_arm": False})  # it is that arm already
        if (size := training_size(dataset, form.protocol, plan)) is not None:
            context["forecast"] = forecast(
                form.space,
                size,
                worker_rates(),
                protocol=form.protocol,
                plan=plan,
                planned_trials=cleaned["planned_trials"],
                workers=cleaned["workers"],
            )
        same = {name: cleaned[name] for name in ("controller", "planned_trials", "seed")}
        context |= {
            "alike": search_alike(dataset, form.space, form.protocol, plan, **same),
            "dataset": dataset,
            "controller": CONTROLLER_LABELS[cleaned["controller"]],
            "objective": metric_label(form.protocol.objective),
            "planned": cleaned["planned_trials"],
            "plan": plan,
            "protocol": form.protocol,
        }
    return render(request, "searches/summary.html", context)


def _start(request: HttpRequest, form: SearchForm) -> Search | None:
    """Start the search, or leave the reason on the form."""
    cleaned = form.cleaned_data
    assert form.space is not None and form.protocol is not None and form.plan is not None
    try:
        return search_start(
            owner=request.user if request.user.is_authenticated else None,
            name=cleaned["name"],
            dataset=cleaned["dataset"],
            space=form.space,
            protocol=form.protocol,
            plan=form.plan,
            controller=cleaned["controller"],
            planned_trials=cleaned["planned_trials"],
            workers=cleaned["workers"],
            seed=cleaned["seed"],
            start_token=cleaned["start_token"],
            space_version=form.space_version,
        )
    except SpaceError as error:
        form.add_space_error(error)
    except Conflict as error:
        form.renew_token()
        form.add_error(None, f"{error} Press Start again to start one as it stands here.")
    return None


def _search_cloned(text: str) -> Search:
    if not text.isascii() or not text.isdecimal():
        raise Http404(f"There is no search {text[:40]!r}.")
    return get_object_or_404(Search, pk=int(text))
