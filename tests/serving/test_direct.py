"""The short way of the most frequent request gives what the long one gives, and is taken only where it is sure to."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from subprocess import Popen
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import DjangoAssertNumQueries

from tests.serving.conftest import question
from tests.waiting import wait_for
from tests.webapp.test_model_services import bundle_file
from webapp.api.recommend import tokens
from webapp.api.recommend_direct import RecommendDirectly, plain_question
from webapp.enums import Scope
from webapp.services.models import model_import, model_promote
from webapp.services.tokens import token_create
from webapp.wsgi import application

PATH = "/api/v1/models/films/recommend"


def environ_of(query: str, *, method: str = "GET", path: str = PATH, **headers: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "SERVER_NAME": "localhost", "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.input": io.BytesIO(), "wsgi.url_scheme": "http", "wsgi.errors": sys.stderr,
    } | headers  # fmt: skip


def call(environ: dict[str, Any], wsgi: Callable[..., Any] = application) -> tuple[str, dict[str, str], bytes]:
    started: list[Any] = []
    response = wsgi(environ, lambda status, headers: started.extend((status, dict(headers))))
    body = b"".join(response)
    if hasattr(response, "close"):
        response.close()
    return started[0], started[1], body


@pytest.mark.slow
def test_both_ways_give_the_same(scoring: Popen[bytes], user: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    model_promote(owner=None, version_id=model_import(owner=None, file=bundle_file()).pk)
    wait_for(lambda: question("films").status == 200, what="the model to be served")
    token, secret = token_create(owner=user, name="test", scopes=[Scope.RECOMMEND])
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {secret}"}
    for query in ("user=a&k=3", "user=a", "user=%C3%BC+%F0%9F%8E%AC%26&k=1000", "user=d&k=1"):
        long_way = call(environ_of(query, **bearer), application.django)
        with django_assert_num_queries(0):
            short = call(environ_of(query, **bearer), RecommendDirectly(nothing, tokens))
        assert (short[0], short[2]) == (long_way[0], long_way[2])
        for name in ("ETag", "Cache-Control", "X-Content-Type-Options", "Content-Type", "Content-Length"):
            assert short[1][name] == long_way[1][name]
        unchanged = call(environ_of(query, HTTP_IF_NONE_MATCH=f'"x", {short[1]["ETag"]}', **bearer), RecommendDirectly(nothing, tokens))
        assert (unchanged[0], unchanged[2], unchanged[1]["ETag"]) == ("304 Not Modified", b"", short[1]["ETag"])
    assert call(environ_of("user=a&k=3", path="/api/v1/models/other/recommend", **bearer))[0] == "404 Not Found"
    assert call(environ_of("user=a&k=3"))[0] == "401 Unauthorized"
    token.revoked_at = token.created_at
    token.save()
    wait_for(lambda: call(environ_of("user=a&k=3", **bearer))[0] == "401 Unauthorized", what="a revoked token to be refused")


def nothing(environ: dict[str, Any], start_response: Any) -> Any:
    raise AssertionError("It should have been answered before.")


def test_what_is_plain() -> None:
    found = plain_question(environ_of("user=a%20b&k=7", HTTP_IF_NONE_MATCH='W/"x"'))
    assert found is not None
    assert (found["user"], found["k"], found["model"], found["known"]) == ("a b", 7, "films", ['W/"x"'])


@pytest.mark.parametrize(
    "environ",
    [
        environ_of("user=a", method="POST"),
        environ_of("user=a", method="HEAD"),
        environ_of("user=a", path=PATH + "/users"),
        environ_of("user=a", path="/api/v1/models/a%2Fb/recommend"),
        environ_of(""),
        environ_of("k=3"),
        environ_of("user="),
        environ_of("user=a&k=0"),
        environ_of("user=a&k=1001"),
        environ_of("user=a&k=1e3"),
        environ_of("user=a&k=3&explain=true"),
        environ_of("user=a&user=b"),
        environ_of("user=%ff"),
        environ_of("user=\xe9"),
    ],
)
def test_what_is_not_plain_goes_to_django(environ: dict[str, Any]) -> None:
    assert plain_question(environ) is None
