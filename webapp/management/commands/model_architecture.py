from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from gnn.bundle.document import ModelDocument
from gnn.bundle.texts import TEXT_FILES, architecture_texts
from webapp.management.models import version_meant


class Command(BaseCommand):
    help = "Print the architecture of a version of a model as a module for PyTorch Geometric, or as a configuration for RecBole."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("version", metavar="ID", help="id of a version, NAME/NUMBER, or NAME for the promoted or else newest one")
        parser.add_argument("--to", choices=TEXT_FILES, default="pyg", help="the library (default: pyg)")

    def handle(self, *, version: str, to: str, **options: Any) -> None:
        del options
        self.stdout.write(architecture_texts(ModelDocument.from_json(version_meant(version).document))[to], ending="")
