from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse

from webapp.models import ApiToken
from webapp.services.audit import Actor, acting

# Plotly and Bootstrap set style attributes from script; no script may be inline or evaluated.
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class ContentSecurityPolicyMiddleware:
    """Send a policy under which no page can load or run anything from another host."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response


class ActorMiddleware:
    """Have the audit trail name the person, or the token of the program, whose request is answered."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        def actor() -> Actor:
            user, token = request.user, getattr(request, "auth", None)  # the API sets both once it has read the token
            name = token.name if isinstance(token, ApiToken) else ""
            return Actor(user.pk, user.get_username(), name) if isinstance(user, User) else Actor()

        with acting(actor):
            return self.get_response(request)
