"""Lists in pages: each names the next by an opaque cursor, so that rows that come or go meanwhile shift nothing."""

from __future__ import annotations

import base64
import json
from http import HTTPStatus
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from ninja import Schema
from pydantic import Field

from webapp.api.errors import ApiError, FieldError

Item = TypeVar("Item")
Row = TypeVar("Row", bound=Model)

MAX_LIMIT = 100
MAX_NUMBER = 2**63 - 1


class PageQuery(Schema):
    limit: int = Field(default=25, ge=1, le=MAX_LIMIT, description="Rows of a page.")
    cursor: str = Field(default="", max_length=500, description="`next` of the page before; left out for the first one.")


class Page(Schema, Generic[Item]):
    items: list[Item]
    next: str | None = Field(description="The cursor of the following page; null on the last one.")

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """What the OpenAPI document calls a page of these items."""
        return f"{params[0].__name__}Page"


def page_of(rows: QuerySet[Row], query: PageQuery, *, key: str = "-id") -> tuple[list[Row], str | None]:
    """One page of ``rows``, and the cursor of the next.

    Args:
        key: the field to order by, with a minus for the largest first; no two of the rows may share its value.
    """
    field = key.removeprefix("-")
    if query.cursor:
        rows = rows.filter(**{f"{field}__{'lt' if key.startswith('-') else 'gt'}": _read(query.cursor, key)})
    found = list(rows.order_by(key)[: query.limit + 1])
    more = len(found) > query.limit
    found = found[: query.limit]
    return found, _write(key, getattr(found[-1], field)) if more else None


def _write(key: str, value: int | str) -> str:
    return base64.urlsafe_b64encode(json.dumps([key, value]).encode()).decode().rstrip("=")


def _read(cursor: str, key: str) -> int | str:
    """The value of ``key`` after which the page begins."""
    try:
        found: Any = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        found = None
    match found:
        case [str(order), int(value)] if order == key and not key.endswith("name") and 0 <= value <= MAX_NUMBER:
            return value
        case [str(order), str(value)] if order == key and key.endswith("name") and "\0" not in value and value.isprintable():
            return value
    detail = "This is no cursor of this list in this order. Begin without one."
    raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, [FieldError(field="query.cursor", detail=detail)])
