from __future__ import annotations

import hashlib

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from webapp.models import ApiToken


def secret_digest(secret: str) -> str:
    """What is kept of a token's secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def token_of_secret(secret: str) -> ApiToken | None:
    """The token that may be used with this secret now: neither revoked nor expired, and its owner may still sign in."""
    valid = ApiToken.objects.filter(Q(expires_at=None) | Q(expires_at__gt=Now()), revoked_at=None, owner__is_active=True)
    return valid.select_related("owner").filter(digest=secret_digest(secret)).first()


def tokens_of(owner: User) -> QuerySet[ApiToken]:
    """The tokens of a person that are not revoked, newest first; ``token_create`` bounds their number."""
    return ApiToken.objects.filter(owner=owner, revoked_at=None).order_by("-id")
