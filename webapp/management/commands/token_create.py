from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from webapp.enums import Scope
from webapp.models import ApiToken
from webapp.services.errors import Conflict
from webapp.services.tokens import token_create

NAME_LENGTH = ApiToken._meta.get_field("name").max_length


class Command(BaseCommand):
    help = "Make an API token and print its secret, which is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="in whose name a program may act")
        parser.add_argument("--name", default="token_create", help="what the token is for (default: %(default)s)")
        parser.add_argument("--scope", action="append", choices=Scope.values, dest="scopes", help="may be given again (default: all)")
        parser.add_argument("--days", type=int, help="until it expires (default: never)")

    def handle(self, *, username: str, name: str, scopes: list[str] | None, days: int | None, **options: Any) -> None:
        del options
        owner = User.objects.filter(username=username, is_active=True).first()
        if owner is None:
            raise CommandError(f"There is no account named {username!r}.")
        if not name.strip() or len(name) > (NAME_LENGTH or 0):
            raise CommandError(f"A token's name has from 1 to {NAME_LENGTH} characters.")
        if days is not None and not 1 <= days <= 3650:
            raise CommandError(f"--days must be from 1 to 3650, but is {days}.")
        try:
            _, secret = token_create(owner=owner, name=name.strip(), scopes=[Scope(scope) for scope in scopes or Scope.values], days=days)
        except Conflict as conflict:
            raise CommandError(str(conflict)) from conflict
        self.stdout.write(secret)
