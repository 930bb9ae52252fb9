from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gnn.errors import BundleError
from webapp.services.studies import search_import


class Command(BaseCommand):
    help = "Take in a search that `search_export` wrote, here or elsewhere, and print its id; `search_run --resume ID` goes on with it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, metavar="FILE", help="the zip file")

    def handle(self, *, path: Path, **options: Any) -> None:
        del options
        try:
            with path.open("rb") as file:
                imported = search_import(owner=None, file=file)
        except OSError as error:
            raise CommandError(f"{path} cannot be opened: {error.strerror}.") from error
        except BundleError as error:
            raise CommandError(f"{path}: {error}") from error
        if imported.needs:
            self.stderr.write(imported.needs)
        self.stdout.write(str(imported.search.pk))
