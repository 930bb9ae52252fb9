"""Tokens of the API, and the one shape of its errors."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from webapp.enums import Scope
from webapp.models import ApiToken
from webapp.selectors.tokens import token_of_secret
from webapp.services.errors import Conflict
from webapp.services.tokens import MAX_TOKENS, token_create, token_note_use, token_revoke


def test_only_the_hash_of_a_secret_is_kept(user: User) -> None:
    token, secret = token_create(owner=user, name="ci", scopes=[Scope.WRITE, Scope.READ])
    row = ApiToken.objects.values().get()
    assert token.scopes == ["read", "write"]
    assert secret not in str(row) and len(row["digest"]) == 64
    assert token_of_secret(secret) == token and token_of_secret(secret + "x") is None


@pytest.mark.parametrize("change", ["revoked", "expired", "inactive"])
def test_a_token_that_is_over_lets_nobody_in(user: User, change: str) -> None:
    token, secret = token_create(owner=user, name="ci", scopes=[Scope.READ], days=1)
    assert token_of_secret(secret) is not None
    if change == "revoked":
        token_revoke(owner=user, token_id=token.pk)
    elif change == "expired":
        ApiToken.objects.update(expires_at=timezone.now())
    else:
        User.objects.update(is_active=False)
    assert token_of_secret(secret) is None


def test_nobody_revokes_a_token_of_another_person(user: User) -> None:
    token, secret = token_create(owner=user, name="ci", scopes=[Scope.READ])
    token_revoke(owner=User.objects.create_user("eve"), token_id=token.pk)
    assert token_of_secret(secret) == token


def test_the_use_of_a_token_is_written_once_a_minute(user: User) -> None:
    token, secret = token_create(owner=user, name="ci", scopes=[Scope.READ])
    token_note_use(token)
    first = ApiToken.objects.get().last_used_at
    assert first is not None
    again = token_of_secret(secret)
    assert again is not None
    token_note_use(again)
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.update(last_used_at=first - timedelta(minutes=1))
    later = token_of_secret(secret)
    assert later is not None
    token_note_use(later)
    assert (written := ApiToken.objects.get().last_used_at) is not None and written > first


def test_a_person_has_so_many_tokens(user: User) -> None:
    for number in range(MAX_TOKENS):
        token, _ = token_create(owner=user, name=str(number), scopes=[Scope.READ])
    with pytest.raises(Conflict, match="Revoke one"):
        token_create(owner=user, name="one more", scopes=[Scope.READ])
    token_revoke(owner=user, token_id=token.pk)
    token_create(owner=user, name="one more", scopes=[Scope.READ])


def test_the_shell_prints_the_secret(user: User) -> None:
    out = io.StringIO()
    call_command("token_create", user.username, "--scope", "read", "--days", "30", stdout=out)
    token = token_of_secret(out.getvalue().strip())
    assert token is not None and token.scopes == ["read"] and token.expires_at is not None
    assert timedelta(days=29) < token.expires_at - timezone.now() < timedelta(days=30)
    with pytest.raises(CommandError, match="no account named 'bob'"):
        call_command("token_create", "bob")


def test_what_is_not_there_is_a_problem(client: Client) -> None:
    answer = client.get("/api/v1/nothing/here")
    assert answer.status_code == 404 and answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["title"] == "Not Found" and "/api/v1/nothing/here" in answer.json()["detail"]


def test_the_document_is_for_everybody(client: Client) -> None:
    document = client.get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1") and "Problem" in document["components"]["schemas"]
