"""One shape for every error: a problem (RFC 9457) as ``application/problem+json``."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, TypeVar

import ninja.errors
from django.core.exceptions import ObjectDoesNotExist, RequestDataTooBig, SuspiciousOperation
from django.db.models import Manager, Model
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI, Schema
from pydantic import Field

from gnn.errors import GnnError, SpaceError
from webapp.services.errors import Conflict
from webapp.uploads import ChunkRefused

logger = logging.getLogger(__name__)

Row = TypeVar("Row", bound=Model)

CONTENT_TYPE = "application/problem+json"


class FieldError(Schema):
    field: str = Field(description="The place in the request, such as `body.size` or `query.limit`.")
    detail: str


class Problem(Schema):
    """An error; `errors` says which parts of the request are at fault, where that is known."""

    type: str = Field(default="about:blank", description="A URI of the kind of problem; `about:blank` where the status says it all.")
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []


class ApiError(Exception):
    """An error with its HTTP status, for what no service raises."""

    def __init__(self, status: HTTPStatus, detail: str, errors: Sequence[FieldError] = (), *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.status, self.errors, self.retry_after = status, errors, retry_after


def named(rows: Manager[Row], field: str, **where: Any) -> Row:
    """The row that a field of the body names; another than those of the address, which are 404 where they are missing."""
    row = rows.filter(**where).first()
    if row is None:
        said = " and ".join(f"{name} {value}" for name, value in where.items()).replace("pk ", "")
        detail = f"There is no {field} {said}."
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, [FieldError(field=f"body.{field}", detail=detail)])
    return row


def problem(status: int, detail: str, errors: Sequence[FieldError] = (), *, retry_after: int | None = None) -> HttpResponse:
    """The answer; ``retry_after`` is the seconds after which the same request may succeed."""
    content = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=list(errors))
    response = HttpResponse(json.dumps(content.model_dump()), status=status, content_type=CONTENT_TYPE)
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def handle_errors(api: NinjaAPI) -> None:
    """Let every exception of ``api`` become a problem."""
    api.add_exception_handler(ApiError, _api_error)
    api.add_exception_handler(Http404, lambda request, error: problem(404, str(error) or "There is nothing at this address."))
    api.add_exception_handler(ObjectDoesNotExist, lambda request, error: problem(404, str(error)))
    api.add_exception_handler(Conflict, lambda request, error: problem(409, str(error)))
    api.add_exception_handler(RequestDataTooBig, lambda request, error: problem(413, "The body is larger than this server takes."))
    api.add_exception_handler(SuspiciousOperation, lambda request, error: problem(400, str(error)))  # such as too many parameters
    api.add_exception_handler(MultiPartParserError, lambda request, error: problem(400, str(error)))
    api.add_exception_handler(UnreadablePostError, lambda request, error: problem(400, "The connection broke."))
    api.add_exception_handler(ChunkRefused, _chunk_refused)
    api.add_exception_handler(GnnError, _library_error)
    api.add_exception_handler(ninja.errors.ValidationError, _validation_error)
    api.add_exception_handler(ninja.errors.AuthenticationError, _unauthenticated)
    api.add_exception_handler(ninja.errors.HttpError, _http_error)
    api.add_exception_handler(Exception, _unexpected)


def _api_error(request: HttpRequest, error: Any) -> HttpResponse:
    del request
    return problem(error.status, str(error), error.errors, retry_after=error.retry_after)


def _http_error(request: HttpRequest, error: Any) -> HttpResponse:
    """What ninja itself refuses, such as a body that is not JSON, or too many requests."""
    del request
    cause = f": {error.__cause__}" if error.__cause__ else ""
    return problem(error.status_code, f"{error}{cause}"[:500])


def _chunk_refused(request: HttpRequest, error: Any) -> HttpResponse:
    del request
    return problem(error.status, str(error))


def _library_error(request: HttpRequest, error: GnnError | type[GnnError]) -> HttpResponse:
    """What the request says cannot be used; a SpaceError may name the setting at fault."""
    del request
    field = error.field if isinstance(error, SpaceError) else None
    return problem(422, str(error), [FieldError(field=field, detail=str(error))] if field else [])


def _validation_error(request: HttpRequest, error: Any) -> HttpResponse:
    del request
    errors = [FieldError(field=_place(each["loc"]), detail=each["msg"]) for each in error.errors]
    return problem(422, "; ".join(f"{each.field}: {each.detail}" for each in errors[:5]), errors)


def _place(location: Sequence[str | int]) -> str:
    """``("body", "payload", "size")`` as ``body.size``: the second is a name in the code."""
    parts = [location[0], *location[2:]] if location[0] == "body" and len(location) > 2 else location
    return ".".join(map(str, parts))


def _unauthenticated(request: HttpRequest, error: Any) -> HttpResponse:
    del request, error
    return problem(401, "Send a valid token as 'Authorization: Bearer <token>'. It may be missing, mistyped, expired or revoked.")


def _unexpected(request: HttpRequest, error: Any) -> HttpResponse:
    logger.error("%s %s failed.", request.method, request.path, exc_info=error)
    return problem(500, "An unexpected error occurred; the server's log has it.")
