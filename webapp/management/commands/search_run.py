from __future__ import annotations

import json
from argparse import BooleanOptionalAction
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from gnn.catalogue import PRESETS, preset_space
from gnn.errors import SpaceError
from gnn.plan import Rungs, SearchPlan
from gnn.protocol import METRIC_NAMES, SPLIT_KINDS, Protocol
from gnn.space import SearchSpace
from webapp.management.terminal import leaderboard_print, result_check, result_document, search_follow, search_leave
from webapp.management.workforce import workers_ensured
from webapp.models import Dataset, Search, Space, SpaceVersion
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
        parser.add_argument("--split", choices=SPLIT_KINDS, help="how interactions are held out (default: ratio)")
        parser.add_argument("--folds", type=int, help="parts of a cross-validation, for k_fold (default: 5)")
        parser.add_argument("--fold", type=int, help="the part that tests, from 0, for k_fold (default: 0)")
        parser.add_argument("--max-epochs", type=int, help="training budget of a trial")
        parser.add_argument(
            "--text-model",
            metavar="NAME|FOLDER",
            help="the sentence-transformers model that reads the items' free text, by its name on the hub or the folder that holds it",
        )
        plan = parser.add_argument_group("how the search spends", "What is given here goes before what --plan says.")
        plan.add_argument("--plan", type=Path, metavar="FILE", help="JSON of a plan: rungs, arms, objectives, constraints, budget")
        plan.add_argument(
            "--rungs",
            action=BooleanOptionalAction,
            help="train on only the best of the short trials (default: without --plan, where trials are longer than the first rung)",
        )
        plan.add_argument("--no-random-arm", action="store_true", help="do not spend as much again on random search")
        plan.add_argument("--no-standard", action="store_true", help="do not begin with the architecture of the catalogue's defaults")
        plan.add_argument("--inherit", action="store_true", help="start trials from embeddings of the best finished one of their size")
        plan.add_argument("--prior", action="store_true", help="start the controller from what was good on similar datasets")
        plan.add_argument("--budget-epochs", type=int, metavar="N", help="end when what the controller proposed has trained N epochs")
        plan.add_argument("--minutes", type=float, help="end so long after the start")
        plan.add_argument("--target", type=float, metavar="SCORE", help="end at a score that is good enough")
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
    given = {name: options[name] for name in ("metric", "k", "split", "folds", "fold", "max_epochs") if options[name] is not None}
    try:
        protocol = Protocol.from_json(given)
        space, version = space_named(options["space"])
        return search_start(
            owner=dataset.owner,
            name=options["name"] or f"{dataset.name}, {options['controller']}, {options['trials']} trials",
            dataset=dataset,
            space=space,
            space_version=version,
            protocol=protocol,
            plan=_plan(options, protocol),
            controller=options["controller"],
            planned_trials=options["trials"],
            workers=options["workers"],
            seed=options["seed"],
            start_token=uuid4(),
        )
    except (SpaceError, Conflict) as error:
        raise CommandError(str(error)) from error


def _plan(options: dict[str, Any], protocol: Protocol) -> SearchPlan:
    """What the file says, or the usual plan, changed by the options.

    Raises:
        CommandError: the file cannot be read.
        SpaceError: the file, or an option, is no plan.
    """
    plan = SearchPlan.usual(protocol.max_epochs) if options["plan"] is None else _plan_read(options["plan"])
    document = plan.to_json()
    if options["rungs"] is not None:
        document["rungs"] = (document["rungs"] or Rungs().model_dump()) if options["rungs"] else None
    if options["no_random_arm"]:
        document["random_arm"] = False
    if options["no_standard"]:
        document["standard_first"] = False
    document |= {name: True for name in ("inherit", "prior") if options[name]}
    if options["text_model"] is not None:
        document["text_model"] = options["text_model"]
    seconds = None if options["minutes"] is None else options["minutes"] * 60
    budget = {"epochs": options["budget_epochs"], "seconds": seconds, "target": options["target"]}
    document["budget"] |= {name: value for name, value in budget.items() if value is not None}
    return SearchPlan.from_json(document)


def _plan_read(file: Path) -> SearchPlan:
    try:
        document = json.loads(file.read_text())
    except json.JSONDecodeError as error:
        raise CommandError(f"{file} is not JSON at line {error.lineno}, column {error.colno}: {error.msg}.") from error
    except (OSError, ValueError) as error:  # ValueError: bytes that are no text
        raise CommandError(f"The plan {str(file)!r} cannot be read: {error}") from error
    return SearchPlan.from_json(document)


def _resumed(search_id: int) -> Search:
    try:
        return search_resume(search_id=search_id)
    except (Search.DoesNotExist, Conflict) as error:
        raise CommandError(str(error)) from error


def space_named(name: str) -> tuple[SearchSpace, SpaceVersion | None]:
    """A preset, the newest version of a saved space, or the space in a JSON file, in this order.

    Raises:
        CommandError: there is none of that name.
        SpaceError: the file is not a search space.
    """
    if name in PRESETS:
        return preset_space(name), None
    saved = Space.objects.filter(name=name).first()
    if saved is not None:
        version = saved.versions.latest("number")
        return SearchSpace.from_json(version.document), version
    try:
        return SearchSpace.from_text(Path(name).read_text()), None
    except (OSError, ValueError) as error:  # ValueError: bytes that are no text
        raise CommandError(f"There is no preset, saved space or readable file {name!r}; presets are {', '.join(PRESETS)}.") from error
