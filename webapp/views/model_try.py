"""Trying a model: somebody's history, what the served version recommends and why, and a baseline's list beside it."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from webapp.models import Model
from webapp.scoring import ScoringDown, ask
from webapp.selectors.models import promoted_version
from webapp.snippets import curl_for_items, curl_for_user, python_client

K = 10
SHOWN_HISTORY = 50
LONGEST_ID = 1000
DIVERSITY = {"": None, "some": 0.7, "much": 0.3}
"""Choice on the page -> lambda of maximal marginal relevance."""
DIVERSITY_LABELS = {"": "By score alone", "some": "Somewhat diverse", "much": "Very diverse"}
WITHOUT_FILTERS: dict[str, Any] = {"allow": None, "deny": [], "where": [], "known": []}


@require_safe
def try_page(request: HttpRequest, name: str) -> HttpResponse:
    model = get_object_or_404(Model, name=name)
    diversity = request.GET.get("diversity", "")
    diversity = diversity if diversity in DIVERSITY else ""
    context: dict[str, Any] = {"model": model, "diversity": diversity, "diversities": DIVERSITY_LABELS.items(), "k": K}
    if promoted_version(name) is None:
        return render(request, "models/try.html", context | {"message": "No version of this model is promoted, so none is served."})
    try:
        context |= _asked(request, name, request.GET.get("user", "").strip()[:LONGEST_ID], DIVERSITY[diversity])
    except ScoringDown:
        context["message"] = "The scoring process does not answer. It is started again by itself; try again in a few seconds."
        return render(request, "models/try.html", context, status=503)
    return render(request, "models/try.html", context)


def _asked(request: HttpRequest, name: str, user: str, mmr_lambda: float | None) -> dict[str, Any]:
    answer = ask(WITHOUT_FILTERS | {"kind": "history", "model": name, "user": user, "k": SHOWN_HISTORY})
    if answer.status != 200:
        return {"message": answer.message}
    history = json.loads(answer.body)
    wanted = WITHOUT_FILTERS | {"model": name, "user": history["user"], "k": K}
    options = {"exclude_seen": True, "mmr_lambda": mmr_lambda, "explain": True, "fallback": "popularity", "split": False}
    found, beside = (json.loads(ask(question).body) for question in (wanted | options | {"kind": "user"}, wanted | {"kind": "neighbours"}))
    theirs = {item["item"] for item in beside["items"]}
    address = request.build_absolute_uri(reverse("api:recommend", args=[name])).removesuffix("/recommend")
    items = [item["item"] for item in history["items"][:3]] or [item["item"] for item in found["items"][:3]]
    return {
        "history": history,
        "found": found,
        "beside": beside,
        "shared": sum(item["item"] in theirs for item in found["items"]),
        "snippets": [
            ("For a user, with curl", curl_for_user(address, history["user"], K)),
            ("For somebody new, by items", curl_for_items(address, items, K)),
            ("In Python", python_client(address, history["user"], K)),
        ],
    }
