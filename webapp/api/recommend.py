"""Recommendations of the promoted version of a model, from the scoring process, whose JSON goes out as it comes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.http import parse_etags
from ninja import Query, Router

from webapp.api.errors import ApiError
from webapp.api.recommend_access import MeteredToken
from webapp.api.recommend_schemas import (
    ForItems,
    ForUser,
    ForUsers,
    ItemsAnswer,
    LikeItem,
    Pairs,
    ScoresAnswer,
    SimilarAnswer,
    UserAnswer,
    UsersAnswer,
)
from webapp.scoring import ScoringDown, ask

tokens = MeteredToken()
router = Router(auth=tokens, tags=["recommend"])

RETRY_SECONDS = 2
"""In which a scoring process that died is running again."""


@router.get("/{name}/recommend", response={200: UserAnswer, 304: None}, url_name="recommend", summary="Recommend for a user")
def recommend(request: HttpRequest, name: str, asked: Query[ForUser]) -> HttpResponse:
    return _answer(request, "user", name, asked.model_dump())


@router.post("/{name}/recommend", response=UserAnswer, summary="Recommend for a user, with long lists of items")
def recommend_posted(request: HttpRequest, name: str, asked: ForUser) -> HttpResponse:
    return _answer(request, "user", name, asked.model_dump())


@router.post("/{name}/recommend/users", response=UsersAnswer, url_name="recommend_users", summary="Recommend for several users")
def recommend_users(request: HttpRequest, name: str, asked: ForUsers) -> HttpResponse:
    return _answer(request, "users", name, asked.model_dump())


@router.post("/{name}/recommend/new", response=ItemsAnswer, url_name="recommend_new", summary="Recommend for somebody new by their items")
def recommend_new(request: HttpRequest, name: str, asked: ForItems) -> HttpResponse:
    return _answer(request, "new", name, asked.model_dump())


@router.get("/{name}/similar", response={200: SimilarAnswer, 304: None}, url_name="similar", summary="Items like an item")
def similar(request: HttpRequest, name: str, asked: Query[LikeItem]) -> HttpResponse:
    return _answer(request, "similar", name, asked.model_dump())


@router.post("/{name}/scores", response=ScoresAnswer, url_name="scores", summary="Scores of pairs of a user and an item")
def scores(request: HttpRequest, name: str, asked: Pairs) -> HttpResponse:
    return _answer(request, "scores", name, asked.model_dump())


def _answer(request: HttpRequest, kind: str, name: str, asked: dict[str, Any]) -> HttpResponse:
    known = parse_etags(request.headers.get("If-None-Match", "")) if request.method == "GET" else []
    try:
        answer = ask({"kind": kind, "model": name, "known": known} | asked)
    except ScoringDown as error:
        raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, f"{error} Ask again in a moment.", retry_after=RETRY_SECONDS) from error
    if answer.status == HTTPStatus.NOT_MODIFIED:
        response: HttpResponse = HttpResponseNotModified()
    elif answer.status == HTTPStatus.OK:
        response = HttpResponse(answer.body, content_type="application/json")
    else:
        raise ApiError(HTTPStatus(answer.status), answer.message)
    if request.method == "GET":
        response.headers["ETag"] = answer.etag
        response.headers["Cache-Control"] = "private, no-cache"  # keep it, and ask whether it still holds
    return response
