from __future__ import annotations

from functools import cache

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from webapp.api import api, recommend
from webapp.api.reference import Reference, reference_of

api.add_router("/models", recommend.router)


@cache
def _reference() -> Reference:
    return reference_of(api.get_openapi_schema())


@login_not_required
@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    return render(request, "api/docs.html", {"reference": _reference()})


urlpatterns = [path("docs", docs, name="docs"), *api.url_patterns()]
