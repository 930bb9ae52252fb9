from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand, CommandError, CommandParser

from gnn.bundle.members import unpack
from gnn.errors import BundleError
from webapp.management.models import version_meant


class Command(BaseCommand):
    help = "Write a version of a model as a folder that anybody can use without Recsmith; `python DIR/recommend.py --help` says how."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("version", metavar="ID", help="id of a version, NAME/NUMBER, or NAME for the promoted or else newest one")
        parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new or empty folder")

    def handle(self, *, version: str, out: Path, **options: Any) -> None:
        del options
        row = version_meant(version)
        try:
            out.mkdir(parents=True, exist_ok=True)
            if any(out.iterdir()):
                raise CommandError(f"{out} is not empty. Name a new folder.")
            with default_storage.open(row.bundle_blob) as file:
                unpack(file, out)
        except OSError as error:
            raise CommandError(f"{out} cannot be written: {error.strerror}.") from error
        except BundleError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(str(out))
