"""The browser's Start from a shell, with workers of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from rich.console import Console

from gnn.catalogue import build_space
from gnn.plan import Budget, Rungs, SearchPlan
from tests.toy_dataset import toy_dataset
from tests.webapp.factories import make_search, make_trials
from webapp.embedded import BASE_DIR
from webapp.enums import SearchState
from webapp.management.commands import search_run
from webapp.management.commands.demo import private_file
from webapp.management.terminal import leaderboard_print, result_check
from webapp.models import Search
from webapp.selectors.searches import BASELINE_LABELS, leaderboard

SPACE = build_space({"node_dim": (8,), "layers": (1, 2), "learning_rate": (0.01, 0.02)}).to_json()


@pytest.mark.slow
def test_it_searches_to_the_end_and_prints_one_json_document(worker_environment: dict[str, str], tmp_path: Path) -> None:
    dataset = toy_dataset()
    space = tmp_path / "space.json"
    space.write_text(json.dumps(SPACE))
    command = f"search_run --dataset {dataset.pk} --space {space} --trials 2 --workers 1 --max-epochs 3 --metric recall --k 5 --json"
    done = subprocess.run(
        (sys.executable, str(BASE_DIR / "manage.py"), *command.split()),
        env={**worker_environment, "RECSMITH_HOME": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert (result["state"], result["objective"], result["dataset"]) == ("finished", "recall@5", dataset.pk)
    rows = result["leaderboard"]
    assert [row["rank"] for row in rows] == list(range(1, 5 + len(BASELINE_LABELS)))  # two arms of two trials, and the baselines
    assert {row["name"] for row in rows if row["kind"] == "baseline"} == set(BASELINE_LABELS.values())
    assert sum(row["test"] is not None for row in rows) >= 3 + len(BASELINE_LABELS)  # the baselines, two finalists and the best by chance
    assert "Trials" in done.stderr


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--space", "nowhere", "There is no preset, saved space or readable file 'nowhere'"),
        ("--space", sys.executable, "There is no preset, saved space or readable file"),
        ("--trials", "0", "planned_trials must be from 1"),
        ("--k", "0", "k"),
        ("--dataset", "99", "There is no dataset 99"),
        ("--plan", "nowhere.json", "The plan 'nowhere.json' cannot be read"),
        ("--budget-epochs", "0", "Plan setting budget.epochs"),
        ("--minutes", "-1", "Plan setting budget.seconds"),
        ("--fold", "5", "fold must be below the number of folds, 5"),
    ],
)
def test_it_says_what_is_wrong(option: str, value: str, message: str) -> None:
    dataset = toy_dataset()
    given = {"--dataset": str(dataset.pk), option: value}
    with pytest.raises(CommandError, match=message):
        call_command("search_run", *(part for pair in given.items() for part in pair))
    assert not Search.objects.exists()


def started(*options: str) -> Search:
    """The search that the command starts before it waits for workers."""
    parser = search_run.Command().create_parser("manage.py", "search_run")
    return search_run._started(vars(parser.parse_args(["--dataset", str(toy_dataset().pk), *options])))


RUNGS = {"by": "epochs", "first": 3, "factor": 3, "count": 4}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "rungs"),
    [
        ((), RUNGS),
        (("--max-epochs", "3"), None),
        (("--max-epochs", "4"), RUNGS),
        (("--no-rungs",), None),
        (("--rungs",), RUNGS),
    ],
)
def test_rungs_are_on_where_a_trial_is_longer_than_the_first(options: tuple[str, ...], rungs: dict[str, Any] | None) -> None:
    assert started(*options).plan == SearchPlan(standard_first=True, rungs=None if rungs is None else Rungs(**rungs)).to_json()


@pytest.mark.django_db
def test_options_go_before_the_file_of_a_plan(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(
        '{"median_stop": true, "standard_first": true, "budget": {"epochs": 90, "target": 0.4}, "rungs": {"by": "data", "factor": 2}}'
    )
    options = (
        "--no-random-arm --no-standard --inherit --prior --budget-epochs 70 --minutes 1.5 "
        "--controller evolution --split k_fold --folds 4 --fold 3"
    )
    search = started("--plan", str(file), *options.split())
    assert (
        search.plan
        == SearchPlan(
            rungs=Rungs(by="data", factor=2),
            median_stop=True,
            random_arm=False,
            inherit=True,
            prior=True,
            budget=Budget(epochs=70, seconds=90, target=0.4),
        ).to_json()
    )
    assert search.controller == "evolution"
    assert [search.protocol[name] for name in ("split", "folds", "fold")] == ["k_fold", 4, 3]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON at line 1, column 2"),
        ('{"rung": null}', "Plan setting rung:"),
        ('{"reward": "k_fold"}', "A k-fold reward needs the split"),
        ('{"rungs": {"first": 100}}', "first rung has 100 epochs"),
    ],
)
def test_it_says_what_is_wrong_with_a_plan(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text)
    with pytest.raises(CommandError, match=message):
        call_command("search_run", "--dataset", str(toy_dataset().pk), "--plan", str(file))
    assert not Search.objects.exists()


@pytest.mark.parametrize(("state", "message"), [(SearchState.STOPPED, "was stopped"), (SearchState.FAILED, "failed: no worker")])
def test_a_search_that_did_not_finish_is_no_success(state: SearchState, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        result_check(Search(pk=1, state=state, message="no worker"))


@pytest.mark.django_db
def test_a_hostile_name_does_not_spoil_the_leaderboard() -> None:
    search = make_search(name="[/b] films", state=SearchState.FINISHED)
    make_trials(search, [0.2])
    printed = io.StringIO()
    leaderboard_print(search, leaderboard(search), Console(file=printed))
    assert "[/b] films: 10 trials on Toy" in printed.getvalue()


def test_others_cannot_read_the_log_with_the_one_time_link(tmp_path: Path) -> None:
    log = tmp_path / "up.log"
    log.write_text("of an earlier run")
    log.chmod(0o644)
    with private_file(log) as file:
        file.write(b"First visit: ...")
    assert log.stat().st_mode & 0o777 == 0o600
    assert log.read_text() == "First visit: ..."


def test_its_help_needs_no_database() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")}
    command = (sys.executable, str(BASE_DIR / "manage.py"), "search_run", "--help")
    assert "--controller" in subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
