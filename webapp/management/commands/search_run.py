from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from gnn.catalogue import PRESETS, preset_space
from gnn.errors import SpaceError
from gnn.protocol import METRIC_NAMES, Protocol
from gnn.space import SearchSpace
from webapp.management.terminal import leaderboard_print, result_check, result_document, search_follow, search_leave
from webapp.management.workforce import workers_ensured
from webapp.models import Dataset, Search, Space
from webapp.selectors.searches import leaderboard
from webapp.services.errors import Conflict
from webapp.services.searches import CONTROLLER_NAMES, search_resume, search_start


class Command(BaseCommand):
    help = "Run a search to its end: the browser's Start from a shell. Progress on stderr, the leaderboard on stdout."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--dataset", type=int, metavar="ID", help="dataset to search on")
        what.add_argument("--resume", type=int, metavar="ID", help="go on with a paused search")
        parser.add_argument(
            "--space", default="demo", metavar="NAME|FILE", help=f"preset ({', '.join(PRESETS)}), saved space, or JSON file"
        )
        parser.add_argument("--controller", choices=list(CONTROLLER_NAMES), default="ppo")
        parser.add_argument("--trials", type=int, default=50, help="architectures to train (default: 50)")
        parser.add_argument("--workers", type=int, default=settings.RECSMITH_WORKERS, help="trials at once (default: RECSMITH_WORKERS)")
        parser.add_argument("--seed", type=int, default=2026)
        parser.add_argument("--metric", choices=METRIC_NAMES, help="what to maximise (default: ndcg)")
        parser.add_argument("--k", type=int, help="length of the recommended list (default: 20)")
        parser.add_argument(
            "--split", choices=("ratio", "leave_one_out", "temporal"), help="how interactions are held out (default: ratio)"
        )
        parser.add_argument("--max-epochs", type=int, help="training budget of a trial")
        parser.add_argument("--name", help="how pages call the search")
        parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")

    def handle(self, **options: Any) -> None:
        console = Console(stderr=True)
        search = _resumed(options["resume"]) if options["resume"] is not None else _started(options)
        with workers_ensured(slots=search.workers) as check_workers:
            try:
                search = search_follow(search, console, check_workers=check_workers)
            except (KeyboardInterrupt, SystemExit, CommandError):
                search_leave(search, console)
                raise
        result_check(search)
        if options["json"]:
            self.stdout.write(json.dumps(result_document(search)))
        else:
            leaderboard_print(search, leaderboard(search), Console())


def _started(options: dict[str, Any]) -> Search:
    dataset = Dataset.objects.filter(pk=options["dataset"]).first()
    if dataset is None:
        raise CommandError(f"There is no dataset {options['dataset']}. `manage.py dataset_import` prints the id of a new one.")
    given = {name: options[name] for name in ("metric", "k", "split", "max_epochs") if options[name] is not None}
    try:
        return search_start(
            owner=dataset.owner,
            name=options["name"] or f"{dataset.name}, {options['controller']}, {options['trials']} trials",
            dataset=dataset,
            space=space_named(options["space"]),
            protocol=Protocol.from_json(given),
            controller=options["controller"],
            planned_trials=options["trials"],
            workers=options["workers"],
            seed=options["seed"],
            start_token=uuid4(),
        )
    except (SpaceError, Conflict) as error:
        raise CommandError(str(error)) from error


def _resumed(search_id: int) -> Search:
    try:
        return search_resume(search_id=search_id)
    except (Search.DoesNotExist, Conflict) as error:
        raise CommandError(str(error)) from error


def space_named(name: str) -> SearchSpace:
    """A preset, a saved space, or the space in a JSON file, in this order.

    Raises:
        CommandError: there is none of that name.
        SpaceError: the file is not a search space.
    """
    if name in PRESETS:
        return preset_space(name)
    saved = Space.objects.filter(name=name).first()
    if saved is not None:
        return SearchSpace.from_json(saved.document)
    try:
        return SearchSpace.from_text(Path(name).read_text())
    except (OSError, ValueError) as error:  # ValueError: bytes that are no text
        raise CommandError(f"There is no preset, saved space or readable file {name!r}; presets are {', '.join(PRESETS)}.") from error
