"""The command that trains a trial again, in a shell and without Recsmith's servers."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from gnn.protocol import Protocol
from webapp.enums import RunState
from webapp.models import Trial
from webapp.selectors.comparable import HELD_OUT
from webapp.selectors.rounds import plan_of

DATA = "interactions.parquet"
"""What the dataset's page gives the file of its interactions."""


@dataclass(frozen=True)
class Reproduction:
    command: str
    obstacle: str = ""
    """What the command leaves out, so that its numbers differ: attributes, inherited, data or folds."""


def reproduction(trial: Trial) -> Reproduction:
    """How to train the trial again: on one machine with one number of threads, to the same scores, but where there is an obstacle."""
    protocol, plan = Protocol.from_json(trial.search.protocol), plan_of(trial.search)
    folds = plan.reward == "k_fold"
    judged = protocol.each_valid_fold()[0] if folds else protocol
    options = {name: getattr(judged, name) for name in ("split", *HELD_OUT[judged.split], "metric", "k", "max_epochs", "patience")}
    # A trial that failed did so in an epoch after the last that it reported.
    if trial.state in (RunState.COMPLETED, RunState.WAITING) and trial.epochs < protocol.max_epochs and not folds:
        options["stop_after"] = trial.epochs
    options["seed"] = trial.seed
    words = ["python", "-m", "gnn", "fit", DATA]
    for name, value in options.items():
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    words += ["--arch", json.dumps(dict(sorted(trial.architecture.items())))]
    obstacle = ""
    if trial.architecture.get("inputs", "ids") != "ids":
        obstacle = "attributes"
    elif trial.inherited_from_id is not None:
        obstacle = "inherited"
    elif plan.grows_data and plan.rungs is not None and plan.rungs.share(trial.rung) < 1:
        obstacle = "data"
    elif folds:
        obstacle = "folds"
    return Reproduction(shlex.join(words), obstacle)
