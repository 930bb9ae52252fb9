"""The command on a trial's page, run as it stands there, on the file that the page offers."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from gnn.__main__ import main
from gnn.catalogue import build_space
from gnn.plan import Rungs, SearchPlan
from gnn.protocol import Protocol
from searchworker import tasks
from tests.searchworker.searching import start
from tests.webapp.factories import make_search, make_trials
from webapp.enums import RunState
from webapp.models import Trial
from webapp.selectors.reproduce import DATA, reproduction

pytestmark = pytest.mark.django_db

SPACE = build_space(
    {"node_dim": (8,), "layers": (1,), "operator": ("lightgcn",), "schedule": ("cosine",), "learning_rate": (0.02,), "l2": (0.0, 1e-5)}
)


@pytest.mark.parametrize(
    ("protocol", "plan"),
    [
        # A rung ends the training, and the schedule still falls over all epochs.
        (
            Protocol(max_epochs=6, patience=6, valid_fraction=0.2, split_seed=3, metric="recall", k=5),
            SearchPlan(rungs=Rungs(first=2, factor=2, count=2), random_arm=False),
        ),
        (Protocol(split="temporal", test_fraction=0.2, max_epochs=5, patience=1), SearchPlan(random_arm=False)),
        (Protocol(split="k_fold", folds=4, fold=1, valid_fold=3, max_epochs=3, patience=3), SearchPlan(random_arm=False)),
    ],
)
def test_the_command_gives_the_scores_of_the_trial(
    protocol: Protocol, plan: SearchPlan, signed_in: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    search = start(space=SPACE, protocol=protocol, plan=plan)
    tasks.advance_search(search.pk)
    trial = search.trials.get()
    tasks.run_trial(trial.pk)
    trial = Trial.objects.select_related("search").get()
    found = reproduction(trial)
    assert found.obstacle == ""
    monkeypatch.chdir(tmp_path)
    answer = signed_in.get(reverse("dataset_interactions", args=[search.dataset_id]))
    Path(DATA).write_bytes(b"".join(answer.streaming_content))  # type: ignore[attr-defined]
    python, minus_m, package, *arguments = shlex.split(found.command)
    assert (python, minus_m, package) == ("python", "-m", "gnn")
    assert main([*arguments, "--threads", "1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["epochs"] == trial.epochs and report["best_epoch"] == trial.best_epoch
    assert report["parameters"] == trial.parameters
    for metric, value in report["validation"].items():
        assert value == trial.scores[metric], metric


def test_what_the_command_leaves_out_is_named() -> None:
    plan = SearchPlan(random_arm=False)
    (donor, heir) = make_trials(make_search(), [0.1, 0.2])
    Trial.objects.filter(pk=heir.pk).update(inherited_from=donor)
    heir.refresh_from_db()
    assert (reproduction(donor).obstacle, reproduction(heir).obstacle) == ("", "inherited")
    donor.architecture = {**donor.architecture, "inputs": "both"}
    assert reproduction(donor).obstacle == "attributes"
    assert "--stop-after 9" in reproduction(heir).command
    heir.state = RunState.FAILED  # in an epoch after the last that it reported
    assert "--stop-after" not in reproduction(heir).command
    growing = make_search(plan=SearchPlan(rungs=Rungs(by="data", first=2, factor=2, count=2), random_arm=False).to_json())
    (low, high) = make_trials(growing, [0.1, 0.2])
    high.rung = 1
    assert (reproduction(low).obstacle, reproduction(high).obstacle) == ("data", "")
    folds = make_search(protocol=Protocol(split="k_fold"), plan=plan.model_copy(update={"reward": "k_fold"}).to_json())
    (judged_on_all,) = make_trials(folds, [0.1])
    found = reproduction(judged_on_all)
    assert found.obstacle == "folds" and "--stop-after" not in found.command and "--valid-fold 1" in found.command


def test_a_dataset_that_was_not_read_has_no_file(signed_in: Client) -> None:
    search = make_search()
    assert signed_in.get(reverse("dataset_interactions", args=[search.dataset_id])).status_code == 404
