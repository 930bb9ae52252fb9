"""Recommendations over HTTP: latency at a steady rate, throughput beside a naive torch endpoint, promotion under load, all users at once.

Real web and scoring processes, a model of gowalla's size with random embeddings, and a load generator in a process of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.database import own_database
from benchmarks.http_load import load, load_ended, load_started
from benchmarks.reporting import options, report

USERS, ITEMS, DIM, SEEN = 29_858, 40_981, 64, 27
K = 20
RATE = 200.0
CONNECTIONS = 16
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
        ask = {"port": port, "paths": paths, "headers": headers}
        _wait(f"http://127.0.0.1:{port}{paths[0]}", headers)
        load(**ask, connections=CONNECTIONS, rate=None, requests=300)
        steady = load(**ask, connections=CONNECTIONS, rate=RATE, requests=requests)
        print(f"at {RATE:g} requests/s: {steady}", flush=True)
        closed = load(**ask, connections=CONNECTIONS, rate=None, requests=requests)
        print(f"closed loop: {closed}", flush=True)
        items = [f"item-{code}" for code in generator.integers(ITEMS, size=30)]
        fold_in = served.fold_in_ms(port, headers, items, k=K, repeat=100)
        with load_started(**ask | {"connections": 4, "rate": None, "requests": promoted_under}) as asking:
            promotions = served.promote_until(lambda: asking.poll() is not None)
            under = load_ended(asking)
        print(f"{promotions} promotions meanwhile: {under}", flush=True)
    with served.torch_endpoint() as port:
        naive_paths = [f"/recommend?user={user}&k={K}" for user in users]
        _wait(f"http://127.0.0.1:{port}{naive_paths[0]}", {})
        load(port, naive_paths, {}, connections=CONNECTIONS, rate=None, requests=300)
        naive = load(port, naive_paths, {}, connections=CONNECTIONS, rate=None, requests=requests)
        print(f"naive torch endpoint: {naive}", flush=True)
    batch_seconds = served.rank_everybody(K)
    ratio = closed["per_second"] / naive["per_second"]
    figures |= {
        "p50_ms": steady["p50_ms"],
        "p99_ms": steady["p99_ms"],
        "failed": steady["failed"] + closed["failed"] + naive["failed"],
        "requests_per_second": closed["per_second"],
        "naive_requests_per_second": naive["per_second"],
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
