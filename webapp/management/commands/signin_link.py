from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from webapp.embedded import home_folder
from webapp.services.accounts import FIRST_USERNAME, account_ensure, first_account_ensure, signin_link_make
from webapp.stack import stack_address


class Command(BaseCommand):
    help = "Print a one-time link with which an account gets a new name and password."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", nargs="?", help=f"whose account; made when it is new (default: the only one, or {FIRST_USERNAME})")
        parser.add_argument("--address", help="scheme, host and port the browser reaches (default: where `up` serves)")

    def handle(self, *, username: str | None, address: str | None, **options: Any) -> None:
        del options
        user = _account(username)
        reachable = address or stack_address(home_folder()) or "http://127.0.0.1:8000"
        self.stdout.write(signin_link_make(user=user, address=reachable.rstrip("/")))


def _account(username: str | None) -> User:
    if username is not None:
        try:
            return account_ensure(username=username)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
    first = first_account_ensure()
    if first is not None:
        return first
    users = list(User.objects.order_by("username")[:2])
    if len(users) != 1:
        raise CommandError("There are several accounts: name one of them.")
    return users[0]
