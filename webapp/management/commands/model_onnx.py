from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gnn.errors import BundleError
from webapp.management.models import bundle_meant


class Command(BaseCommand):
    help = (
        "Write the scorer of a version of a model as an ONNX graph: from codes of users, as in users.parquet of the bundle, to scores of "
        "all items. Seen items are not left out, and nobody new can be embedded: recommend.py of the bundle does both."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("version", metavar="ID", help="id of a version, NAME/NUMBER, or NAME for the promoted or else newest one")
        parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write, such as scorer.onnx")

    def handle(self, *, version: str, out: Path, **options: Any) -> None:
        del options
        try:
            scorer = importlib.import_module("gnn.bundle.onnx_scorer")
        except ModuleNotFoundError as error:
            raise CommandError(f"This needs the package {error.name}: pip install -r requirements-onnx.txt") from error
        try:
            scorer.write_onnx(bundle_meant(version), out)
        except OSError as error:
            raise CommandError(f"{out} cannot be written: {error.strerror}.") from error
        except BundleError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(str(out))
