"""Tokens that programs sign in with."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from webapp.enums import AuditVerb, Scope
from webapp.models import ApiToken
from webapp.selectors.tokens import secret_digest, tokens_of
from webapp.services.audit import event_record
from webapp.services.errors import Conflict

PREFIX = "recsmith_"
"""Lets people and scanners of leaked secrets recognise one."""

SECRET_BYTES = 32
MAX_TOKENS = 50
"""Of one person, not counting revoked ones."""

USE_WRITTEN_EVERY = timedelta(minutes=1)


@transaction.atomic
def token_create(*, owner: User, name: str, scopes: Sequence[Scope], days: int | None = None) -> tuple[ApiToken, str]:
    """A new token and its secret, which cannot be read again later.

    Args:
        days: until it expires; None for never.

    Raises:
        Conflict: its owner has too many tokens.
    """
    User.objects.select_for_update().get(pk=owner.pk)  # of several at once, each counts those before it
    if tokens_of(owner).count() >= MAX_TOKENS:
        raise Conflict(f"You have {MAX_TOKENS} tokens, as many as one person may have. Revoke one of them first.")
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    token = ApiToken.objects.create(
        owner=owner,
        name=name,
        scopes=[scope.value for scope in Scope if scope in scopes],
        digest=secret_digest(secret),
        expires_at=None if days is None else timezone.now() + timedelta(days=days),
    )
    event_record(AuditVerb.CREATE, token, scopes=token.scopes)
    return token, secret


def token_revoke(*, owner: User, token_id: int) -> None:
    """Let a token be used no more; one that is revoked, or another person's, stays as it is."""
    with transaction.atomic():
        token = ApiToken.objects.select_for_update().filter(pk=token_id, owner=owner, revoked_at=None).first()
        if token is not None:
            ApiToken.objects.filter(pk=token.pk).update(revoked_at=Now())
            event_record(AuditVerb.REVOKE, token)


def token_note_use(token: ApiToken) -> None:
    """Write that the token was used, at most once a minute, so that requests stay reads."""
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at >= USE_WRITTEN_EVERY:
        unwritten = Q(last_used_at=None) | Q(last_used_at__lte=now - USE_WRITTEN_EVERY)
        ApiToken.objects.filter(unwritten, pk=token.pk).update(last_used_at=now)
