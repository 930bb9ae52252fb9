"""What is the same for every operation: its errors in the OpenAPI document, and answers to what no operation takes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, re_path
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from webapp.api.errors import CONTENT_TYPE, Problem, handle_errors, problem

WRITING = ("post", "put", "patch", "delete")


class Api(NinjaAPI):
    """A NinjaAPI with one shape of errors, which it documents, for programs that hold a token instead of a session."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        handle_errors(self)
        self._document: OpenAPISchema | None = None

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """The function's name, which no two operations share."""
        return operation.view_func.__name__

    def get_openapi_schema(self, **place: Any) -> OpenAPISchema:
        """The document, made once: the operations do not change while a process runs."""
        if self._document is None:
            self._document = self._with_errors(super().get_openapi_schema(**place))
        return self._document

    @staticmethod
    def _with_errors(schema: OpenAPISchema) -> OpenAPISchema:
        document = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schema["components"]["schemas"] |= document.pop("$defs") | {"Problem": document}
        answer = {"description": "Problem", "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        for path, methods in schema["paths"].items():
            for method, operation in methods.items():
                if method == "get" and "application/json" in operation["responses"].get(200, {}).get("content", {}):
                    operation["responses"].setdefault(304, {"description": "Not Modified"})
                for status in _error_statuses(path, method, operation):
                    operation["responses"].setdefault(status, answer)
        return schema

    def url_patterns(self) -> list[URLPattern]:
        """Every address under the prefix: the operations, and a problem for the rest."""
        known = [each for each in self.urls[0] if isinstance(each, URLPattern)]
        answered = [URLPattern(each.pattern, self._answered(each.callback), each.default_args, each.name) for each in known]
        return [*answered, re_path("", self._answered(_nothing_here))]

    def _answered(self, view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @csrf_exempt
        @login_not_required
        @wraps(view, updated=())
        def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            asked = request.method
            request.method = "GET" if asked == "HEAD" else asked
            try:
                response = view(request, *args, **kwargs)
            except Http404 as error:
                return self.on_exception(request, error)
            finally:
                request.method = asked
            if response.status_code == 405:
                allowed = response.headers["Allow"]
                response = problem(405, f"{request.method} is not possible here; {allowed} is.")
                response.headers["Allow"] = allowed
            return _unless_known(request, response)

        return answered


def _unless_known(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """304 where the client says that it has this answer already (If-None-Match); every JSON answer has an ETag."""
    if request.method not in ("GET", "HEAD") or response.status_code != 200 or not isinstance(response, HttpResponse):
        return response
    response.headers.setdefault("ETag", quote_etag(hashlib.sha256(response.content).hexdigest()))
    return get_conditional_response(request, response.headers["ETag"], response=response) or response


def _nothing_here(request: HttpRequest) -> HttpResponse:
    return problem(404, f"There is nothing at {request.path[:200]}. The documentation lists every address.")


def _error_statuses(path: str, method: str, operation: dict[str, Any]) -> list[int]:
    """How an operation may fail besides by a fault of the server."""
    statuses = []
    if "requestBody" in operation:
        statuses += [413]
    if "requestBody" in operation or operation.get("parameters"):
        statuses += [400, 422]
    if "security" in operation:
        statuses += [401, 403]
    if any("MeteredToken" in scheme for scheme in operation.get("security", ())):
        statuses += [429, 503]  # it has a rate, and is answered by a process of its own
    if "{" in path:
        statuses += [404]
    if method in WRITING:
        statuses += [409]
    return statuses
