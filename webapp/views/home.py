from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from webapp.selectors.home import home_overview
from webapp.selectors.searches import CONTROLLER_LABELS


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What runs now and what was there lately; the first steps while there is nothing."""
    return render(request, "home/home.html", {"home": home_overview(), "controllers": CONTROLLER_LABELS})
