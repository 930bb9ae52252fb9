"""A search on a terminal: live progress while it runs, its leaderboard when it has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from django.core.management.base import CommandError
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from webapp.enums import RunState, SearchState
from webapp.models import Search
from webapp.selectors.searches import LeaderboardRow, leaderboard, metric_label, objective_of, progress, reward_label, validation_verdict
from webapp.services.errors import Conflict
from webapp.services.searches import search_pause

LOOK_EVERY_SECONDS = 0.5
SHOWN_TRIALS = 10
LOG_WIDTH = 150  # columns where the output is no terminal
WIDE = 110
ENDED = (SearchState.FINISHED, SearchState.STOPPED, SearchState.FAILED)


def search_follow(search: Search, console: Console, *, check_workers: Callable[[], None]) -> Search:
    """Show progress until the search has ended, in whatever way.

    Args:
        check_workers: called at every look; raises when the search can no longer get on.
    """
    label = reward_label(search)
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, refresh_per_second=4) as bars:
        trials = bars.add_task("Trials", total=search.planned_trials, note="")
        baselines = bars.add_task("Baselines", total=None, note="")
        finalists = bars.add_task("Finalists", total=None, note="", visible=False)
        told = 0
        while True:
            search.refresh_from_db()
            now = progress(search)
            failed = f" {now.failed} failed" if now.failed else ""
            best = f"best {label} {now.best.score:.4f} (trial {now.best.number})" if now.best else "waiting for the first score"
            paused = "paused; " if search.state == SearchState.PAUSED else ""
            bars.update(trials, completed=now.done, total=now.planned, note=paused + best + failed)
            reference = max(((row.score, row.label) for row in now.baselines if row.score is not None), default=None)
            ended = sum(row.state not in (RunState.QUEUED, RunState.RUNNING) for row in now.baselines)
            bars.update(
                baselines, completed=ended, total=len(now.baselines), note=f"best {reference[1]} {reference[0]:.4f}" if reference else ""
            )
            if now.finalist_runs:
                bars.update(finalists, completed=now.finalist_runs_done, total=now.finalist_runs, note="retrained and tested", visible=True)
            if now.done > told and not console.is_terminal:  # a log file shows no bars
                told = now.done
                console.print(f"{now.done} of {now.planned} trials, {best}{failed}", soft_wrap=True, highlight=False)
            if search.state in ENDED:
                return search
            check_workers()
            time.sleep(LOOK_EVERY_SECONDS)


def search_leave(search: Search, console: Console) -> None:
    """Pause a search that its command is about to leave, and say how to go on."""
    search.refresh_from_db()
    if search.state in ENDED:
        return
    try:
        search_pause(search_id=search.pk)
    except Conflict as conflict:
        console.print(str(conflict), markup=False)
    console.print(f"Search {search.pk} is paused. Go on with `python manage.py search_run --resume {search.pk}`, or on its page.")


def result_check(search: Search) -> None:
    """Raise CommandError unless the search finished."""
    if search.state == SearchState.FAILED:
        raise CommandError(f"Search {search.pk} failed: {search.message}")
    if search.state != SearchState.FINISHED:
        raise CommandError(f"Search {search.pk} was {search.get_state_display().lower()}: {search.message}")


def leaderboard_print(search: Search, rows: Sequence[LeaderboardRow], console: Console) -> None:
    """Print the leaderboard as people read it: the best trials and every baseline, test mean and deviation of what was tested."""
    objective = objective_of(search)
    label = metric_label(objective)
    if not console.is_terminal:
        console.width = LOG_WIDTH
    table = Table(title=escape(f"{search.name}: {search.planned_trials} trials on {search.dataset.name}"), box=box.SIMPLE_HEAD)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("Trial", justify="right", no_wrap=True)
    table.add_column("Architecture or baseline", ratio=1)
    for heading in (f"{label}\nvalidation", f"{label}\ntest"):
        table.add_column(heading, justify="right", no_wrap=True)
    if console.width >= WIDE:
        table.add_column("Parameters", justify="right", no_wrap=True)
        table.add_column("Seconds", justify="right", no_wrap=True)
    trials = [row for row in rows if row.kind == "trial"]
    for row in rows:
        if row.kind == "trial" and row not in trials[:SHOWN_TRIALS]:
            continue
        more = ("" if row.parameters is None else f"{row.parameters:,}", "" if row.train_seconds is None else f"{row.train_seconds:.1f}")
        table.add_row(
            str(row.rank),
            "" if row.number is None else str(row.number),
            f"{row.name} (random search)" if row.by_chance else row.name,
            _number(row.valid_scores.get(objective)),
            _tested(row, objective),
            *(more if console.width >= WIDE else ()),
            style="bold" if row.kind == "baseline" else None,
        )
    console.print(table)
    if len(trials) > SHOWN_TRIALS:
        console.print(f"{len(trials) - SHOWN_TRIALS} more trials are on the search's page.", highlight=False)
    verdict = search.message if search.state == SearchState.FINISHED else validation_verdict(rows, objective)
    console.print(verdict, soft_wrap=True, highlight=False, markup=False)


def _tested(row: LeaderboardRow, objective: str) -> str:
    if row.test_scores is None:
        return ""
    mean, deviation = row.test_scores[objective]
    return f"{mean:.4f} ± {deviation:.4f}" if row.seeds > 1 else f"{mean:.4f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def result_document(search: Search) -> dict[str, Any]:
    """The search and its leaderboard as JSON."""
    return {
        "search": search.pk,
        "name": search.name,
        "state": search.state,
        "message": search.message,
        "dataset": search.dataset_id,
        "controller": search.controller,
        "seed": search.seed,
        "objective": objective_of(search),
        "planned_trials": search.planned_trials,
        "seconds": progress(search).elapsed,
        "leaderboard": [
            {
                "rank": row.rank,
                "kind": row.kind,
                "by_chance": row.by_chance,
                "trial": row.number,
                "name": row.name,
                "validation": dict(row.valid_scores),
                "test": None
                if row.test_scores is None
                else {metric: {"mean": mean, "sd": deviation} for metric, (mean, deviation) in row.test_scores.items()},
                "parameters": row.parameters,
                "train_seconds": row.train_seconds,
                "seeds": row.seeds,
            }
            for row in leaderboard(search)
        ],
    }
