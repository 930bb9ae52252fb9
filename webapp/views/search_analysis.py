"""Analyses of a search on demand: a page of tabs, each figure as a fragment, and its points as CSV."""

from __future__ import annotations

import csv
from io import StringIO

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from webapp.models import Search
from webapp.selectors.importance import importance_is_awaited
from webapp.services.importance import search_importance_ask
from webapp.views.figures import FIGURES, Figure
from webapp.views.paging import tidy


@require_safe
def search_analysis(request: HttpRequest, search_id: int, name: str = "parallel") -> HttpResponse:
    """The page of one analysis; its figure is fetched when the page is open."""
    search = get_object_or_404(Search.objects.select_related("dataset"), pk=search_id)
    figure = _figure(name)
    tabs = [(key, some.label) for key, some in FIGURES.items()]
    return render(request, "searches/analysis.html", {"search": search, "name": name, "figure": figure, "tabs": tabs})


@require_safe
def search_figure(request: HttpRequest, search_id: int, name: str) -> HttpResponse:
    """One figure with what can be chosen about it, as a fragment; the page's URL follows its form."""
    search = get_object_or_404(Search, pk=search_id)
    figure = _figure(name)
    drawing = figure.build(search, request.GET)
    context = {
        "search": search,
        "name": name,
        "figure": figure,
        "drawing": drawing,
        "document": None if drawing.is_empty else drawing.figure(),
        "awaited": name == "importance" and importance_is_awaited(search),
    }
    response = render(request, "searches/figure.html", context)
    if request.headers.get("HX-Trigger") == "figure-form":
        response.headers["HX-Push-Url"] = f"{reverse('search_analysis', args=[search.pk, name])}?{tidy(request.GET).urlencode()}"
    return response


@require_safe
def search_figure_csv(request: HttpRequest, search_id: int, name: str) -> HttpResponse:
    """The points of a figure as they are drawn."""
    search = get_object_or_404(Search, pk=search_id)
    buffer = StringIO()
    csv.writer(buffer).writerows(_figure(name).build(search, request.GET).data.rows())
    response = HttpResponse(buffer.getvalue(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="search-{search.pk}-{name}.csv"'
    return response


@require_POST
def search_importance(request: HttpRequest, search_id: int) -> HttpResponse:
    """Have a worker measure which decisions matter."""
    search = get_object_or_404(Search, pk=search_id)
    if search_importance_ask(search_id=search.pk):
        messages.success(request, gettext("A worker measures the importance now; the figure follows by itself."))
    return redirect("search_analysis", search.pk, "importance")


def _figure(name: str) -> Figure:
    if name not in FIGURES:
        raise Http404(f"There is no analysis {name[:40]!r}.")
    return FIGURES[name]
