from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from webapp.models import Dataset, Search
from webapp.selectors.searches import leaderboard, objective_of


@require_safe
def search_leaderboard(request: HttpRequest, search_id: int) -> HttpResponse:
    """All models of a search, ranked."""
    search = get_object_or_404(Search.objects.select_related("dataset"), pk=search_id)
    context = {"title": search.name, "searches": [(search, leaderboard(search), objective_of(search))]}
    return render(request, "leaderboard/board.html", context)


@require_safe
def dataset_leaderboard(request: HttpRequest, dataset_id: int) -> HttpResponse:
    """The models of the searches of a dataset, each search by itself."""
    dataset = get_object_or_404(Dataset, pk=dataset_id)
    searches = Search.objects.filter(dataset=dataset).order_by("-id")[:10]
    context = {"title": dataset.name, "searches": [(search, leaderboard(search), objective_of(search)) for search in searches]}
    return render(request, "leaderboard/board.html", context)
