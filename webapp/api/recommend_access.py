"""Who may ask for recommendations, and how often: decided without a query for each request."""

from __future__ import annotations

import math
import threading
import time
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest

from webapp.api.auth import FeedbackToken, RecommendToken, Token
from webapp.api.errors import ApiError
from webapp.models import ApiToken

BELIEVED_SECONDS = 1.0
"""How long a token that was found valid is taken to be so."""
MOST_KEPT = 1000


class Metered(Token):
    """A token that is looked up at most once a second, and held to its rate."""

    def __init__(self) -> None:
        super().__init__()
        self._found: dict[str, tuple[float, ApiToken]] = {}
        self._rates: dict[int, Rate] = {}
        self._lock = threading.Lock()

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken | None:
        now = time.monotonic()
        found = self._believed(token, now)
        if found is None:
            found = super().authenticate(request, token)
            if found is None:
                return None
            with self._lock:
                if len(self._found) >= MOST_KEPT:
                    self._found.clear()
                self._found[token] = (now + BELIEVED_SECONDS, found)
        else:
            request.user = found.owner
        if (wait := self._wait(found, now)) > 0:
            raise ApiError(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"This token may ask {settings.RECSMITH_RATE_LIMIT} times a second. Ask again a second later.",
                retry_after=math.ceil(wait),
            )
        return found

    def take(self, token: str) -> bool:
        """Count a request of a token that was looked up within the last second and has not used up its rate; else False."""
        now = time.monotonic()
        found = self._believed(token, now)
        return found is not None and self._wait(found, now) == 0

    def _believed(self, token: str, now: float) -> ApiToken | None:
        until, found = self._found.get(token, (0.0, None))
        return found if until > now else None

    def _wait(self, found: ApiToken, now: float) -> float:
        with self._lock:
            return self._rates.setdefault(found.pk, Rate(settings.RECSMITH_RATE_LIMIT)).take(now)


class MeteredToken(Metered, RecommendToken):
    """For recommendations."""


class FeedbackMeteredToken(Metered, FeedbackToken):
    """For feedback, whose rate is its own."""


class Rate:
    """A bucket of one second's requests that fills at ``per_second``; of one web process."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._left, self._at = float(per_second), 0.0

    def take(self, now: float) -> float:
        """Take one; 0, or the seconds until there is one to take."""
        self._left = min(self._per_second, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return (1 - self._left) / self._per_second
        self._left -= 1
        return 0.0
