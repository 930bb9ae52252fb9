from __future__ import annotations

from functools import cache

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import path
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from webapp.api import api, experiments, feedback, recommend
from webapp.api.reference import reference_of

api.add_router("/models", recommend.router)
api.add_router("/models", feedback.router)
api.add_router("/models", experiments.router)


@cache
def _operations() -> SafeString:
    """The part of the page that is the same for everybody, drawn once."""
    return render_to_string("api/reference.html", {"reference": reference_of(api.get_openapi_schema())})


@login_not_required
@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    return render(request, "api/docs.html", {"operations": _operations()})


urlpatterns = [path("docs", docs, name="docs"), *api.url_patterns()]
