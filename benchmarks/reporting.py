"""What every benchmark does alike: options, timing, and the JSON line at the end."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from gnn.device import set_threads


def options(description: str, add: Callable[[argparse.ArgumentParser], None] | None = None) -> argparse.Namespace:
    """Parse the options every benchmark has and those that ``add`` adds, and set the number of threads."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, smaller data")
    parser.add_argument("--threads", type=int, default=2)
    if add is not None:
        add(parser)
    parsed = parser.parse_args()
    set_threads(parsed.threads)
    return parsed


def median_ms(run: Callable[[], Any], *, repeat: int) -> float:
    """Median milliseconds of ``run``, after one call that does not count."""
    run()
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        run()
        times.append((time.perf_counter() - started) * 1e3)
    return statistics.median(times)


def report(benchmark: str, *, figures: dict[str, Any], peer: str, ratio: float, reached: bool) -> None:
    """Print the result as one JSON object: our figures, the peer compared with, how many times better, and whether the aim is met."""
    print(json.dumps({"benchmark": benchmark, "figures": figures, "peer": peer, "ratio": round(ratio, 3), "reached": reached}))
