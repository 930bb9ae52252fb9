"""Epochs until a search has found what random search ends with: a controller with rungs against random search, really trained.

Random search trains its trials to their end. The other arm has the same number of epochs at most, and stops when its
best validation score reaches random search's; where it never does, all those epochs count as needed, also those that it
left. The controller starts from nothing, unless --standard lets it begin with the architecture of the catalogue's defaults.
Both run through the database and the tasks of the workers, in this process. Without data, the interactions are synthetic.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.database import own_database
from benchmarks.reporting import options, report
from gnn.plan import Budget, Rungs, SearchPlan
from gnn.protocol import Protocol

AIM = 3.0
MORE = 4
"""Trials that the controller may start for each of random search's: most end at the first rung, and its epochs are what is limited."""


def main() -> None:
    chosen = options(__doc__ or "", _options)
    with own_database(("-c fsync=off", "-c synchronous_commit=off")):
        _compare(chosen)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="folder with train.csv, valid.csv and test.csv")
    parser.add_argument("--space", default="demo", help="preset to search in")
    parser.add_argument("--controller", default="ppo")
    parser.add_argument("--trials", type=int, default=40, help="trials of random search")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--standard", action="store_true", help="begin with the architecture of the catalogue's defaults")


def _compare(chosen: argparse.Namespace) -> None:
    from benchmarks.search_arms import dataset_of, searched  # noqa: PLC0415 (models load when Django is set up)

    seeds, trials = (1, 4) if chosen.quick else (chosen.seeds, chosen.trials)
    protocol = Protocol(split="predefined" if chosen.data is not None else "ratio")
    dataset = dataset_of(chosen.data)
    runs: list[dict[str, Any]] = []
    for seed in range(seeds):
        plain = searched(dataset, chosen.space, protocol, "random", trials, seed, SearchPlan(random_arm=False))
        budget = Budget(epochs=plain["epochs"], target=plain["best"])
        plan = SearchPlan(random_arm=False, standard_first=chosen.standard, rungs=Rungs(), budget=budget)
        ours = searched(dataset, chosen.space, protocol, chosen.controller, MORE * trials, seed, plan)
        reached = ours["best"] >= plain["best"]
        needed = ours["epochs"] if reached else max(ours["epochs"], plain["epochs"])
        runs.append({"seed": seed, "random": plain, "ours": ours, "reached": reached, "needed": needed})
        print(f"seed {seed}: random {plain}, {chosen.controller} with rungs {ours}", flush=True)
    ratio = sum(run["random"]["epochs"] for run in runs) / sum(run["needed"] for run in runs)
    figures = {"space": chosen.space, "controller": chosen.controller, "trials": trials, "standard": chosen.standard, "runs": runs}
    report("search", figures=figures, peer="random search", ratio=ratio, reached=ratio >= AIM and all(run["reached"] for run in runs))


if __name__ == "__main__":
    main()
