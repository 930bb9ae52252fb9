"""Recommendations over HTTP: latency at a steady rate, throughput beside a naive torch endpoint, promotion under load, all users at once.

Real web and scoring processes, a model of gowalla's size with random embeddings, and a load generator in a process of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.database import own_database
from benchmarks.http_load import Load, load_ended
from benchmarks.reporting import options, report

USERS, ITEMS, DIM, SEEN = 29_858, 40_981, 64, 27
K = 20
RATE = 200.0
CONNECTIONS = 16
TOGETHER = 50
"""Users of one request for several."""
AIM_P99_MS, AIM_RATIO, AIM_BATCH_SECONDS, AIM_FOLD_IN_MS = 20.0, 5.0, 15.0, 20.0
START_SECONDS = 60


def main() -> None:
    chosen = options(__doc__ or "", lambda parser: None)
    with own_database() as home:
        _measure(chosen, home)


def _measure(chosen: argparse.Namespace, home: Path) -> None:
    from benchmarks.served_model import Served  # noqa: PLC0415 (models load when Django is set up)

    requests, promoted_under = (1_000, 1_000) if chosen.quick else (4_000, 10_000)
    served = Served(home, USERS, ITEMS, DIM, SEEN)
    figures: dict[str, Any] = {"users": USERS, "items": ITEMS, "dim": DIM, "load_before": round(os.getloadavg()[0], 2)}
    headers = {"Authorization": f"Bearer {served.secret}"}
    generator = np.random.default_rng(1)
    users = [f"user-{code}" for code in generator.integers(USERS, size=requests)]
    paths = [f"/api/v1/models/{served.name}/recommend?user={user}&k={K}" for user in users]
    with served.processes() as port:
        _wait(f"http://127.0.0.1:{port}{paths[0]}", headers)
        single = Load(port, paths, headers, CONNECTIONS, requests)
        ranking_seconds = served.ranked()
        replace(single, requests=300).run()  # warm
        steady = replace(single, rate=RATE).run()
        print(f"at {RATE:g} requests/s: {steady}", flush=True)
        closed, cpu_ms = _with_cpu(served, single)
        print(f"closed loop: {closed}", flush=True)
        bodies = [json.dumps({"users": users[start : start + TOGETHER], "k": K}) for start in range(0, requests, TOGETHER)]
        together = Load(port, [f"/api/v1/models/{served.name}/recommend/users"], headers, 4, len(bodies), bodies=bodies).run()
        print(f"closed loop, {TOGETHER} users a request: {together}", flush=True)
        items = [f"item-{code}" for code in generator.integers(ITEMS, size=30)]
        fold_in = served.fold_in_ms(port, headers, items, k=K, repeat=100)
        with replace(single, connections=4, requests=promoted_under).start() as asking:
            promotions = served.promote_until(lambda: asking.poll() is not None)
            under = load_ended(asking)
        print(f"{promotions} promotions meanwhile: {under}", flush=True)
    with served.torch_endpoint() as port:
        plain = Load(port, [f"/recommend?user={user}&k={K}" for user in users], {}, CONNECTIONS, requests)
        _wait(f"http://127.0.0.1:{port}{plain.paths[0]}", {})
        replace(plain, requests=300).run()
        naive, naive_cpu_ms = _with_cpu(served, plain)
        print(f"naive torch endpoint: {naive}", flush=True)
    batch_seconds = served.rank_everybody(K)
    ratio = closed["per_second"] / naive["per_second"]
    figures |= {
        "ranking_seconds": round(ranking_seconds, 1),
        "p50_ms": steady["p50_ms"],
        "p99_ms": steady["p99_ms"],
        "failed": steady["failed"] + closed["failed"] + together["failed"] + naive["failed"],
        "requests_per_second": closed["per_second"],
        "naive_requests_per_second": naive["per_second"],
        "cpu_ms": cpu_ms,
        "naive_cpu_ms": naive_cpu_ms,
        "lists_per_second": round(together["per_second"] * TOGETHER, 1),
        "lists_ratio": round(together["per_second"] * TOGETHER / naive["per_second"], 2),
        "fold_in_ms": round(fold_in, 2),
        "promotions": promotions,
        "failed_under_promotion": under["failed"],
        "requests_under_promotion": promoted_under,
        "batch_seconds": round(batch_seconds, 2),
    }
    reached = (
        steady["p99_ms"] <= AIM_P99_MS
        and ratio >= AIM_RATIO
        and batch_seconds <= AIM_BATCH_SECONDS
        and fold_in <= AIM_FOLD_IN_MS
        and under["failed"] == figures["failed"] == 0
    )
    report("serve", figures=figures, peer="a torch endpoint in the same web server", ratio=ratio, reached=reached)


def _with_cpu(served: Any, load: Load) -> tuple[dict[str, Any], float]:
    """What the load found, and the processor milliseconds of all server processes for each request, which other processes change least."""
    before = served.cpu_seconds()
    found = load.run()
    return found, round((served.cpu_seconds() - before) / load.requests * 1e3, 3)


def _wait(address: str, headers: dict[str, str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=5).close()
            return
        time.sleep(0.2)
    raise SystemExit(f"{address} did not answer within {START_SECONDS} s.")


if __name__ == "__main__":
    main()
