"""How near each controller comes to the best architecture of a space in 50, 100 and 200 trials.

Every architecture of the space was trained once (benchmarks/make_table.py), so a search is a look-up and many seeds are affordable.
The regret is the best validation NDCG@20 of the table minus the best found. Controllers were tuned on the table of
MovieLens-100K with other seeds; that of MovieTweetings was never used for tuning.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np

from benchmarks.landscape import TABLES, read_table, table_space
from benchmarks.reporting import options, report
from gnn.device import set_threads
from searchworker.controllers import CONTROLLERS, make_controller
from searchworker.controllers.base import Outcome

BUDGETS = (50, 100, 200)
SCHEDULED = ("reinforce", "ppo")
"""Controllers whose schedule runs over the budget; the others search alike whatever it is."""
PEERS = ("evolution", "tpe")
RESAMPLES = 10_000

Regrets = np.ndarray[Any, np.dtype[np.float64]]


def main() -> None:
    chosen = options(__doc__ or "", _options)
    seeds = range(2 if chosen.quick else chosen.seeds)
    tables = TABLES[:1] if chosen.quick else TABLES
    figures: dict[str, Any] = {"seeds": len(seeds)}
    jobs = [(table, arm, seed) for table in tables for arm in CONTROLLERS for seed in seeds]
    with ProcessPoolExecutor(chosen.threads, get_context("spawn"), initializer=set_threads, initargs=(1,)) as pool:
        found = dict(zip(jobs, pool.map(search, jobs, chunksize=2), strict=True))
    reached = True
    for table in tables:
        regrets = {arm: np.array([found[table, arm, seed] for seed in seeds]) for arm in CONTROLLERS}
        figures[table] = {arm: _figures(regrets[arm], regrets["random"]) for arm in CONTROLLERS}
        reached = reached and _reached(figures[table])
        print(f"{table}: mean regret in thousandths [95 % CI] (against random [95 % CI])")
        for arm in CONTROLLERS:
            print(f"  {arm:10}" + "   ".join(_cell(figures[table][arm][str(budget)]) for budget in BUDGETS), flush=True)
    first = figures[TABLES[0]]
    ratio = first["random"]["100"]["regret"] / max(first["ppo"]["100"]["regret"], 1e-6)
    report("controllers", figures=figures, peer="random search, 100 trials", ratio=ratio, reached=reached)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, default=50, help="searches per controller, table and budget")


def search(job: tuple[str, str, int]) -> list[float]:
    """Regrets at each budget, of one seed; a scheduled controller searches once for each budget."""
    table, arm, seed = job
    rewards = read_table(table)
    if arm in SCHEDULED:
        return [_best_so_far(arm, seed, budget, rewards)[budget - 1] for budget in BUDGETS]
    best = _best_so_far(arm, seed, max(BUDGETS), rewards)
    return [best[budget - 1] for budget in BUDGETS]


def _best_so_far(arm: str, seed: int, trials: int, rewards: dict[str, float]) -> list[float]:
    """Regret after each trial, by one worker."""
    controller = make_controller(arm, table_space(), seed, trials)
    told = []
    for _ in range(trials):
        (proposal,) = controller.ask(1)
        told.append(rewards[proposal.architecture.key])
        controller.tell([Outcome(proposal.architecture, proposal.behaviour, told[-1])])
    return (max(rewards.values()) - np.maximum.accumulate(told)).tolist()


def _figures(regrets: Regrets, random: Regrets) -> dict[str, dict[str, Any]]:
    """By budget: mean regret [seeds, budgets] and the paired difference to random search, each with its interval."""
    figures = {}
    for i, budget in enumerate(BUDGETS):
        difference = regrets[:, i] - random[:, i]
        figures[str(budget)] = {
            "regret": round(float(regrets[:, i].mean()), 6),
            "ci": bootstrap_interval(regrets[:, i]),
            "against_random": round(float(difference.mean()), 6),
            "against_random_ci": bootstrap_interval(difference),
        }
    return figures


def bootstrap_interval(values: Regrets) -> list[float]:
    """95 % percentile interval of the mean, from resampled seeds."""
    picked = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    return [round(float(bound), 6) for bound in np.percentile(values[picked].mean(1), (2.5, 97.5))]


def _reached(table: dict[str, dict[str, dict[str, Any]]]) -> bool:
    """Below random with an interval that excludes 0 at every budget; at or below the peers from 100 trials on."""
    return all(
        table[arm][str(budget)]["against_random_ci"][1] < 0
        and (budget < 100 or all(table[arm][str(budget)]["regret"] <= table[peer][str(budget)]["regret"] for peer in PEERS))
        for arm in SCHEDULED
        for budget in BUDGETS
    )


def _cell(figure: dict[str, Any]) -> str:
    def thousandths(mean: float, interval: list[float]) -> str:
        return f"{1e3 * mean:.2f} [{1e3 * interval[0]:.2f}, {1e3 * interval[1]:.2f}]"

    return f"{thousandths(figure['regret'], figure['ci'])} ({thousandths(figure['against_random'], figure['against_random_ci'])})"


if __name__ == "__main__":
    main()
