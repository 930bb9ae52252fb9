"""The most frequent request, answered before Django: ``GET …/recommend?user=…&k=…`` with a token that was found valid a moment ago.

Django's way to a view costs more than the recommendation. Only what is sure to succeed is answered here; all else takes that way and
gets the same answer, or the error that is due.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_plus

from django.utils.http import parse_etags

from webapp.api.recommend_access import MeteredToken
from webapp.api.recommend_schemas import MAX_K, ForUser
from webapp.scoring import Answer, ScoringDown, ask

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]

PATH = re.compile(r"/api/v1/models/([-\w]+)/recommend", re.ASCII)
QUERY = re.compile(r"user=([!-%'-:<-~]{1,1000})(?:&k=([0-9]{1,4}))?")
"""As clients write it, in visible ASCII."""
DEFAULTS = ForUser.model_validate({"user": "-"}).model_dump()
STATUSES = {200: "200 OK", 304: "304 Not Modified"}


class RecommendDirectly:
    """A WSGI application before ``django``, for the operation whose tokens ``tokens`` knows."""

    def __init__(self, django: Application, tokens: MeteredToken) -> None:
        self.django, self._tokens = django, tokens

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        question = plain_question(environ)
        if question is None or not self._tokens.take(environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")):
            return self.django(environ, start_response)
        try:
            answer = ask(question)
        except ScoringDown:
            answer = Answer(503, "", "")
        if answer.status not in STATUSES:
            return self.django(environ, start_response)
        headers = [("ETag", answer.etag), ("Cache-Control", "private, no-cache"), ("X-Content-Type-Options", "nosniff")]
        if answer.status == 200:
            headers += [("Content-Type", "application/json"), ("Content-Length", str(len(answer.body)))]
        start_response(STATUSES[answer.status], headers)
        return [answer.body]


def plain_question(environ: Environ) -> dict[str, Any] | None:
    """What ``environ`` asks the scoring process, if it is a request of the plainest form."""
    if environ["REQUEST_METHOD"] != "GET":
        return None
    path, query = PATH.fullmatch(environ["PATH_INFO"]), QUERY.fullmatch(environ["QUERY_STRING"])
    if path is None or query is None:
        return None
    k = int(query[2]) if query[2] else DEFAULTS["k"]
    try:
        user = unquote_plus(query[1], errors="strict")
    except UnicodeDecodeError:
        return None
    if not 1 <= k <= MAX_K:
        return None
    known = parse_etags(environ["HTTP_IF_NONE_MATCH"]) if "HTTP_IF_NONE_MATCH" in environ else []
    return {"kind": "user", "model": path[1], "known": known} | DEFAULTS | {"user": user, "k": k}
