"""What a trial costs beside its training: trials that only sleep, through real PostgreSQL, Valkey, control and trials workers.

Wall-clock numbers want a machine with nothing else to do: each search is repeated, and the fastest counts.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from benchmarks.database import own_database
from benchmarks.reporting import options, report

AIM_MS = 40.0
AIM_SPEEDUP = 1.9
AIM_GROWTH = 1.1
"""Of the mean time per trial from the first part to the last; a tenth is noise."""
WARM_UP = 20
"""Trials before the measured ones: connections are made, and code is loaded."""


def main() -> None:
    chosen = options(__doc__ or "", _options)
    with own_database() as home:  # as durable as in production
        _measure(chosen, home)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--trials", type=int, default=300, help="measured trials of each search")
    parser.add_argument("--growth", type=int, default=10_000, help="trials of the long search")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--space", default="full", help="preset to search in")


def _measure(chosen: argparse.Namespace, home: Path) -> None:
    from benchmarks.overhead_searches import ends, workers  # noqa: PLC0415 (models load when Django is set up)

    trials, growth, repeat = (100, 1_000, 2) if chosen.quick else (chosen.trials, chosen.growth, chosen.repeat)
    figures: dict[str, Any] = {"space": chosen.space, "trials": trials, "load_before": round(os.getloadavg()[0], 2)}
    with workers(home, slots=1, seconds=0):
        for controller in ("random", "ppo"):
            runs = [_mean_ms(ends(chosen.space, controller, WARM_UP + trials, workers=1)[WARM_UP - 1 :]) for _ in range(repeat)]
            figures[f"{controller}_ms_per_trial"] = round(min(runs), 1)
            print(f"{controller}: {[round(run, 1) for run in runs]} ms per trial", flush=True)
        ended = ends(chosen.space, "ppo", WARM_UP + growth, workers=1)[WARM_UP - 1 :]
        part = growth // 10
        figures |= {
            "growth_trials": growth,
            "first_ms": round(_mean_ms(ended[: part + 1]), 1),
            "last_ms": round(_mean_ms(ended[-part - 1 :]), 1),
        }
        print(f"the first {part} of {growth}: {figures['first_ms']} ms per trial, the last: {figures['last_ms']} ms", flush=True)
    spans = {}
    seconds, counted = 1.0, 10 if chosen.quick else 30
    for slots in (1, 2):
        with workers(home, slots=slots, seconds=seconds):
            # The first trial of each slot ends before time is taken.
            runs = [_span(ends(chosen.space, "ppo", slots + counted, workers=slots)[slots - 1 :]) for _ in range(repeat)]
            spans[slots] = min(runs)
            print(f"{slots} workers: {counted} trials of {seconds:g} s in {[round(run, 2) for run in runs]} s", flush=True)
    speedup, growing = spans[1] / spans[2], figures["last_ms"] / figures["first_ms"]
    overhead = max(figures["random_ms_per_trial"], figures["ppo_ms_per_trial"])
    figures |= {"speedup_of_2_workers": round(speedup, 3), "growth": round(growing, 3)}
    reached = overhead <= AIM_MS and speedup >= AIM_SPEEDUP and growing <= AIM_GROWTH
    report("overhead", figures=figures, peer=f"{AIM_MS:g} ms per trial", ratio=AIM_MS / overhead, reached=reached)


def _span(ends: list[float]) -> float:
    return ends[-1] - ends[0]


def _mean_ms(ends: list[float]) -> float:
    return _span(ends) / (len(ends) - 1) * 1e3


if __name__ == "__main__":
    main()
