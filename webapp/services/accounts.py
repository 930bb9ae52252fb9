"""Accounts of one installation: the first one is made at first start and claimed through a one-time link."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

FIRST_USERNAME = "admin"


@transaction.atomic
def first_account_ensure() -> User | None:
    """Make the first account where nobody can sign in yet; None where somebody can."""
    if any(user.has_usable_password() for user in User.objects.filter(is_active=True).only("password").iterator()):
        return None
    return account_ensure(username=FIRST_USERNAME)


def account_ensure(*, username: str) -> User:
    """The account of that name, made without a password where there is none.

    Raises:
        ValidationError: the name is not allowed.
    """
    user = User.objects.filter(username=username).first()
    if user is None:
        user = User(username=username)
        user.set_unusable_password()
        user.full_clean()
        user.save()
    return user


def signin_link_make(*, user: User, address: str) -> str:
    """A link that lets its holder choose a name and password for ``user``, once, within PASSWORD_RESET_TIMEOUT.

    Args:
        address: scheme, host and port that the browser reaches, without a slash at the end.
    """
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return address + reverse("welcome", args=[uid, default_token_generator.make_token(user)])


def signin_link_user(*, uid: str, token: str) -> User | None:
    """The account that a link is for, or None when it was used, is too old, or was never made."""
    try:
        user = User.objects.get(pk=urlsafe_base64_decode(uid).decode())
    except (ValueError, OverflowError, User.DoesNotExist, ValidationError):
        return None
    return user if default_token_generator.check_token(user, token) else None


@transaction.atomic
def account_claim(*, uid: str, token: str, username: str, password: str) -> User | None:
    """Set the name and password chosen through a link, which dies with it; None when the link is dead already.

    Raises:
        ValidationError: the name is taken or not allowed, or the password is too weak; keyed by field.
    """
    named = signin_link_user(uid=uid, token=token)
    if named is None:
        return None
    user = User.objects.select_for_update().get(pk=named.pk)
    if not default_token_generator.check_token(user, token):
        return None  # somebody was quicker
    user.username = username
    user.clean_fields(exclude=["password"])
    user.validate_unique()
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise ValidationError({"password": error.messages}) from error
    user.set_password(password)
    user.save(update_fields=["username", "password"])
    return user
