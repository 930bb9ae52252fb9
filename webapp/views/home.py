from __future__ import annotations

from typing import cast

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from webapp.selectors.home import home_overview
from webapp.selectors.searches import CONTROLLER_LABELS
from webapp.services.samples import sample_movielens, sample_shop


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What runs now and what was there lately; the first steps while there is nothing."""
    return render(request, "home/home.html", {"home": home_overview(), "controllers": CONTROLLER_LABELS})


@require_POST
def sample_movielens_new(request: HttpRequest) -> HttpResponse:
    return redirect("dataset", sample_movielens(owner=_user(request)).pk)


@require_POST
def sample_shop_new(request: HttpRequest) -> HttpResponse:
    return redirect("dataset", sample_shop(owner=_user(request)).pk)


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)  # the middleware lets nobody else in
