"""Who asks: ``Authorization: Bearer <secret of a token>``."""

from __future__ import annotations

from http import HTTPStatus
from typing import Literal

from django.contrib.auth.models import User
from django.http import HttpRequest
from ninja.security import HttpBearer

from webapp.api.errors import ApiError
from webapp.enums import Scope
from webapp.models import ApiToken
from webapp.selectors.tokens import token_of_secret
from webapp.services.tokens import token_note_use


class Token(HttpBearer):
    """Lets in whoever shows a valid token with ``scope``; the OpenAPI document calls a scheme by its class."""

    scope: Scope

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken | None:
        found = token_of_secret(token)
        if found is None:
            return None
        if self.scope not in found.scopes:
            raise ApiError(HTTPStatus.FORBIDDEN, f"This token has no scope '{self.scope}'. Make one that has it.")
        token_note_use(found)
        request.user = found.owner
        return found


class ReadToken(Token):
    scope = Scope.READ
    openapi_description = "The secret of a token with the scope `read`."


class WriteToken(Token):
    scope = Scope.WRITE
    openapi_description = "The secret of a token with the scope `write`."


class RecommendToken(Token):
    scope = Scope.RECOMMEND
    openapi_description = "The secret of a token with the scope `recommend`."


class FeedbackToken(Token):
    scope = Scope.FEEDBACK
    openapi_description = "The secret of a token with the scope `feedback`."


_TOKENS = {"read": ReadToken, "write": WriteToken, "recommend": RecommendToken}


def authorised(scope: Literal["read", "write", "recommend"]) -> Token:
    """For ``Router(auth=...)`` and operations: a token with this scope is needed."""
    return _TOKENS[scope]()


def owner_of(request: HttpRequest) -> User:
    """The person in whose name the request is made."""
    assert isinstance(request.user, User)  # set by ``Token``
    return request.user
