from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from webapp.selectors import find as selector
from webapp.views.paging import search_text


@require_safe
def find(request: HttpRequest) -> HttpResponse:
    """Everything that a text finds, in groups."""
    return render(request, "find/results.html", {"found": selector.find(search_text(request)), "most": selector.MOST})
