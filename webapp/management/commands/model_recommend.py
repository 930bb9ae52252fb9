from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gnn.bundle.recommend import UnknownId
from webapp.management.models import bundle_meant


class Command(BaseCommand):
    help = "Recommend from a version of a model, for a user of its data or for anybody with some of its items."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("version", metavar="ID", help="id of a version, NAME/NUMBER, or NAME for the promoted or else newest one")
        whom = parser.add_mutually_exclusive_group(required=True)
        whom.add_argument("--user", metavar="ID", help="a user of the training data")
        whom.add_argument("--items", metavar="ID", nargs="+", help="what somebody new has or likes")
        parser.add_argument("-k", type=int, default=20, help="how many (default: 20)")
        parser.add_argument("--with-seen", action="store_true", help="also items that the user has already")
        parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")

    def handle(self, *, version: str, user: str | None, items: list[str] | None, k: int, with_seen: bool, **options: Any) -> None:
        model = bundle_meant(version).model
        try:
            if user is not None:
                found = model.recommend(user, k, exclude_seen=not with_seen)
            else:
                found = model.recommend_new(items or [], k, exclude_seen=not with_seen)
        except (UnknownId, ValueError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps([{"item": item, "score": score} for item, score in found]))
            return
        table = Table(box=box.SIMPLE_HEAD)
        for heading in ("#", "Score"):
            table.add_column(heading, justify="right")
        table.add_column("Item", overflow="fold")
        for rank, (item, score) in enumerate(found, start=1):
            table.add_row(str(rank), f"{score:.4f}", Text(item))
        console = Console()
        with console.capture() as captured:
            console.print(table)
        self.stdout.write(captured.get())
