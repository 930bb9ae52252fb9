"""The form of a new search."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from gnn.errors import SpaceError
from webapp.forms.searches import SearchForm
from webapp.models import Search
from webapp.queue import TRIALS_QUEUE
from webapp.selectors.searches import CONTROLLER_LABELS
from webapp.selectors.workers import workers_alive
from webapp.services.errors import Conflict
from webapp.services.searches import CONTROLLER_NAMES, search_start


@require_http_methods(["GET", "HEAD", "POST"])
def search_new(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        form = SearchForm(request.POST)
        if form.is_valid() and (search := _start(request, form)) is not None:
            return redirect("search", search.pk)
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
    return render(request, "searches/new.html", context)


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
