from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gnn.bundle import load
from gnn.bundle.members import pack
from gnn.errors import BundleError
from webapp.services.errors import Conflict
from webapp.services.models import model_import


class Command(BaseCommand):
    help = "Take in a bundle that this or another installation exported, as a new version of a model, and print the version."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, metavar="PATH", help="the bundle's folder or zip file")
        parser.add_argument("--name", default="", help="of the model (default: the one it was exported under)")

    def handle(self, *, path: Path, name: str, **options: Any) -> None:
        del options
        try:
            if path.is_dir():
                load(path)  # so that what is missing is named
                with tempfile.TemporaryFile() as packed:
                    pack(path, packed)
                    packed.seek(0)
                    version = model_import(owner=None, file=packed, name=name)
            else:
                with path.open("rb") as file:
                    version = model_import(owner=None, file=file, name=name)
        except OSError as error:
            raise CommandError(f"{path} cannot be opened: {error.strerror}.") from error
        except (BundleError, Conflict) as error:
            raise CommandError(f"{path}: {error}") from error
        self.stdout.write(f"{version.model.name}/{version.number}")
