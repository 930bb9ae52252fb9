from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files import File
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse
from rich.console import Console

from gnn.catalogue import preset_space
from gnn.plan import SearchPlan
from gnn.protocol import Protocol
from webapp.embedded import BASE_DIR, home_folder, outer_environment
from webapp.embedded_servers import EmbeddedError
from webapp.enums import DatasetState
from webapp.management.commands.up import browser_address, prepare
from webapp.management.terminal import leaderboard_print, result_check, search_follow, search_leave
from webapp.models import Dataset, Search
from webapp.movielens import MovieLensError, interactions_file
from webapp.processes import STOP_SECONDS
from webapp.selectors.samples import MOVIELENS_NAME
from webapp.selectors.searches import BASELINE_LABELS, leaderboard
from webapp.selectors.workers import workers_alive
from webapp.services.accounts import first_account_ensure, signin_link_make
from webapp.services.datasets import dataset_import
from webapp.services.samples import MOVIELENS_MAPPING
from webapp.services.searches import search_start
from webapp.stack import port_check, stack_address


class Command(BaseCommand):
    help = "Run everything, search MovieLens-100K to the end, print the leaderboard, keep serving."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--exit", action="store_true", help="stop when the leaderboard is printed")
        parser.add_argument("--trials", type=int, default=24, help="architectures to train (default: 24)")
        parser.add_argument("--host", default=os.environ.get("RECSMITH_HOST", "127.0.0.1"), help="address to listen on (RECSMITH_HOST)")
        parser.add_argument("--port", type=int, default=os.environ.get("RECSMITH_PORT", "8000"), help="port to listen on (RECSMITH_PORT)")

    def handle(self, *, trials: int, host: str, port: int, **options: Any) -> None:
        console = Console()
        try:
            with console.status("Fetching MovieLens-100K"):
                file = interactions_file(BASE_DIR / ".cache")
            with console.status("Preparing the database"):
                prepare()
            with _stack_running(console, host, port) as (address, check_stack, wait):
                search = _search(console, file, trials=trials, address=address, check_stack=check_stack)
                rows = leaderboard(search)
                leaderboard_print(search, rows, console)
                missing = set(BASELINE_LABELS.values()) - {row.name for row in rows if row.kind == "baseline"}
                if missing:
                    raise CommandError(f"The leaderboard lacks {', '.join(sorted(missing))}.")
                _print_addresses(console, search, address)
                if not options["exit"]:
                    console.print("Ctrl-C stops it; `make run` starts it again with the same data.")
                    with contextlib.suppress(KeyboardInterrupt):
                        wait()
        except (EmbeddedError, MovieLensError) as error:
            raise CommandError(str(error)) from error


def _search(console: Console, file: Path, *, trials: int, address: str, check_stack: Callable[[], None]) -> Search:
    with console.status("Importing MovieLens-100K"):
        dataset = _dataset_ready(file)
    protocol = Protocol()
    search = search_start(
        owner=dataset.owner,
        name=f"Demo: {MOVIELENS_NAME}",
        dataset=dataset,
        space=preset_space("demo"),
        protocol=protocol,
        plan=SearchPlan.usual(protocol.max_epochs),
        controller="ppo",
        planned_trials=trials,
        workers=settings.RECSMITH_WORKERS,
        seed=2026,
        start_token=uuid4(),
    )
    _print_addresses(console, search, address)
    try:
        search = search_follow(search, console, check_workers=check_stack)
    except (KeyboardInterrupt, SystemExit, CommandError):
        search_leave(search, console)
        raise
    result_check(search)
    return search


def _dataset_ready(file: Path) -> Dataset:
    """The imported sample, from an earlier demo where there was one."""
    dataset = Dataset.objects.filter(name=MOVIELENS_NAME, state=DatasetState.READY).first()
    if dataset is not None:
        return dataset
    owner = first_account_ensure() or User.objects.order_by("pk").first()
    with file.open("rb") as stream:
        dataset = dataset_import(
            owner=owner, name=MOVIELENS_NAME, filename=file.name, file=File(stream, name=file.name), mapping=MOVIELENS_MAPPING
        )
    if dataset.state != DatasetState.READY:
        raise CommandError(f"{MOVIELENS_NAME} could not be imported: {dataset.message}")
    return dataset


def _print_addresses(console: Console, search: Search, address: str) -> None:
    # Not through rich's markup: a link must stay in one piece for copying.
    console.print(f"Dashboard: {address}{reverse('search', args=[search.pk])}", soft_wrap=True, highlight=False)
    claim = first_account_ensure()
    if claim is not None:
        console.print(f"First visit: {signin_link_make(user=claim, address=address)}", soft_wrap=True, highlight=False)


@contextlib.contextmanager
def _stack_running(console: Console, host: str, port: int) -> Iterator[tuple[str, Callable[[], None], Callable[[], None]]]:
    """The stack that already runs from this folder, or `up` as a child, its log in a file.

    Gives the address, a check that raises CommandError when it has ended, and a wait for its end.
    """
    running = stack_address(home_folder())
    if running is not None:
        console.print(f"Using the Recsmith that already runs at {running}.", highlight=False)
        yield running, lambda: None, lambda: None
        return
    port_check(host, port)
    log = home_folder() / "up.log"
    with private_file(log) as output:
        child = subprocess.Popen(
            (sys.executable, str(BASE_DIR / "manage.py"), "up", f"--host={host}", f"--port={port}"),
            env=outer_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches this command, which then ends the child in order
        )

    def check() -> None:
        if child.poll() is not None:
            last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise CommandError(f"The stack ended. The last lines of {log}:\n{last}")

    def wait() -> None:
        child.wait()
        check()

    try:
        with console.status("Starting web pages and workers"):
            while stack_address(home_folder()) is None or not workers_alive(queue="trials").exists():
                check()
                time.sleep(0.2)
        console.print(f"Recsmith runs; its log is {log}", soft_wrap=True, highlight=False)
        yield browser_address(host, port), check, wait
    finally:
        child.terminate()
        try:
            child.wait(STOP_SECONDS + 30)
        except subprocess.TimeoutExpired:
            child.kill()


def private_file(path: Path) -> BinaryIO:
    """The file, emptied, for this account alone: the log of the stack has the one-time link in it."""
    file = open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")  # noqa: SIM115 (the caller closes it)
    os.fchmod(file.fileno(), 0o600)
    return file
