from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from gnn.catalogue import describe
from gnn.space import Architecture
from webapp.models import Trial

MOST = 5


@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """Two to five trials beside each other, ``?trial=ID&trial=ID``."""
    ids = [int(text) for text in request.GET.getlist("trial")[:MOST] if text.isascii() and text.isdecimal() and len(text) < 10]
    trials = Trial.objects.filter(pk__in=ids).select_related("search").defer("behaviour").order_by("search_id", "number")
    rows = [(trial, describe(Architecture.of(trial.architecture))) for trial in trials]
    return render(request, "compare/compare.html", {"rows": rows})
