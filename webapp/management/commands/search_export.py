from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from webapp.models import Search
from webapp.services.studies import search_export


class Command(BaseCommand):
    help = "Write a search with its trials, curves, runs and the state of its controllers as one file; `search_import` goes on from it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("search", type=int, metavar="ID", help="id of the search")
        parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="a new zip file")

    def handle(self, *, search: int, out: Path, **options: Any) -> None:
        del options
        try:
            with out.open("xb") as file:
                try:
                    search_export(search_id=search, file=file)
                except Search.DoesNotExist as error:
                    out.unlink()
                    raise CommandError(f"There is no search {search}.") from error
        except OSError as error:
            raise CommandError(f"{out} cannot be written: {error.strerror}.") from error
        self.stdout.write(str(out))
