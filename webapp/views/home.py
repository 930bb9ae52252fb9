from __future__ import annotations

from typing import cast

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from webapp.charts.sparkline import HEIGHT, WIDTH, step_points
from webapp.selectors.home import home_overview
from webapp.selectors.searches import CONTROLLER_LABELS
from webapp.services.samples import sample_movielens, sample_shop
from webapp.views.searches import BUDGET_LABELS, budget_left


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What runs now and what was there lately; the first steps while there is nothing."""
    overview = home_overview()
    running = [
        {
            "row": row,
            "points": step_points(row.improvements, until=max(row.progress.done, row.improvements[-1][0])) if row.improvements else "",
            "first": row.improvements[0][1] if row.improvements else None,
            "best": row.improvements[-1][1] if row.improvements else None,
            "budgets": [(BUDGET_LABELS[line.name], budget_left(line)) for line in row.budgets],
        }
        for row in overview.running
    ]
    context = {"home": overview, "running": running, "width": WIDTH, "height": HEIGHT, "controllers": CONTROLLER_LABELS}
    return render(request, "home/home.html", context)


@require_POST
def sample_movielens_new(request: HttpRequest) -> HttpResponse:
    return redirect("dataset", sample_movielens(owner=_user(request)).pk)


@require_POST
def sample_shop_new(request: HttpRequest) -> HttpResponse:
    return redirect("dataset", sample_shop(owner=_user(request)).pk)


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)  # the middleware lets nobody else in
