"""A large file of interactions from disk to READY through the real service and database, and from there to a worker's graph.

Each step runs in a process of its own, so that its peak memory is its own. ``--upload`` also sends the file to a web process, as a
browser does, and measures what that adds and what memory it takes there.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import django
import numpy as np
import polars as pl
from django.core.files.base import File

from benchmarks.reporting import options, report
from gnn import sources
from gnn.protocol import Protocol
from webapp.embedded import servers_held

ROWS, QUICK_ROWS = 10_000_000, 1_000_000
AIM_SECONDS, AIM_GIB = 60, 2.5
AIM_COLD_SECONDS, AIM_CACHED_SECONDS = 15, 1
AIM_UPLOAD_SECONDS, AIM_WEB_MIB = 30, 300
AIM_LINEAR = 1.3
"""At most this many times the seconds a row when there are ten times as many rows."""
_BLOCK_ROWS = 1_000_000


def main() -> None:
    chosen = options(__doc__ or "", _add_options)
    if chosen.step:
        print(json.dumps({"plain": _plain, "ingest": _ingest, "prepare": _prepare, "upload": _upload}[chosen.step](chosen.argument)))
        return
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="recsmith-ingest-") as folder:
        Path(folder).chmod(0o711)  # the database account passes through
        os.environ["RECSMITH_HOME"] = folder
        with servers_held(Path(folder)):
            subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], check=True)
            sizes = [QUICK_ROWS] if chosen.quick else [QUICK_ROWS, ROWS]
            for rows in sizes:
                figures[f"{rows:_}"] = _measure(Path(folder) / f"{rows}.csv", rows, upload=chosen.upload)
    last = figures[f"{sizes[-1]:_}"]
    per_row = [figures[f"{rows:_}"]["ready_seconds"] / rows for rows in sizes]
    figures["growth_per_row"] = round(per_row[-1] / per_row[0], 3)
    scale = sizes[-1] / ROWS
    reached = (
        last["ready_seconds"] <= AIM_SECONDS * scale
        and last["ready_gib"] <= AIM_GIB
        and last["graph_cold_seconds"] <= AIM_COLD_SECONDS * scale
        and last["graph_cached_seconds"] <= AIM_CACHED_SECONDS
        and figures["growth_per_row"] <= AIM_LINEAR
        and (not chosen.upload or last["upload_adds_seconds"] <= AIM_UPLOAD_SECONDS * scale)
        and (not chosen.upload or last["web_mib"] < AIM_WEB_MIB)
    )
    ratio = last["plain_read_seconds"] / last["ready_seconds"]
    report("ingest", figures=figures, peer="polars.read_csv, which validates and stores nothing", ratio=ratio, reached=reached)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--upload", action="store_true", help="also send the file to a web process, as a browser does")
    parser.add_argument("--step", choices=["plain", "ingest", "prepare", "upload"], help=argparse.SUPPRESS)
    parser.add_argument("--argument", help=argparse.SUPPRESS)


def _measure(path: Path, rows: int, *, upload: bool) -> dict[str, Any]:
    write_synthetic(path, rows)
    plain, ingested = _run("plain", path), _run("ingest", path)
    prepared = _run("prepare", ingested["dataset"])
    figures = {
        "file_mb": round(path.stat().st_size / 1e6, 1),
        "plain_read_seconds": plain["seconds"],
        "ready_seconds": ingested["seconds"],
        "ready_cpu_seconds": ingested["cpu"],
        "over_plain_read": round(ingested["seconds"] / plain["seconds"], 2),
        "ready_gib": ingested["gib"],
        "graph_cold_seconds": prepared["cold"],
        "graph_cold_cpu_seconds": prepared["cpu"],
        "graph_cached_seconds": prepared["cached"],
        "graph_gib": prepared["gib"],
    }
    if upload:
        sent = _run("upload", path)
        figures |= {"upload_adds_seconds": sent["seconds"], "web_mib": sent["web_mib"], "web_mib_before": sent["web_mib_before"]}
    return figures


def _run(step: str, argument: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.ingest", "--step", step, "--argument", str(argument)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def write_synthetic(path: Path, rows: int, seed: int = 0) -> None:
    """A CSV of user, item, rating and time with text ids, whose users and items follow power laws."""
    generator = np.random.default_rng(seed)
    n_users, n_items = max(1000, rows // 20), max(500, rows // 100)
    with path.open("wb") as file:
        file.write(b"user_id,item_id,rating,timestamp\n")
        for start in range(0, rows, _BLOCK_ROWS):
            n = min(_BLOCK_ROWS, rows - start)
            block = pl.DataFrame(
                {
                    "user": (n_users * generator.random(n) ** 1.7).astype(np.int64),
                    "item": (n_items * generator.random(n) ** 2.5).astype(np.int64),
                    "rating": generator.integers(1, 11, n) / 2,
                    "time": generator.integers(1_300_000_000, 1_700_000_000, n),
                }
            )
            block.select(pl.format("user-{}", "user"), pl.format("item-{}", "item"), "rating", "time").write_csv(file, include_header=False)


def _plain(path: str) -> dict[str, float]:
    started = time.perf_counter()
    pl.read_csv(path)
    return {"seconds": round(time.perf_counter() - started, 2)}


def _ingest(path: str) -> dict[str, float]:
    services, _ = _application()
    started, cpu = time.perf_counter(), time.process_time()
    with open(path, "rb") as opened:
        file = File(opened, name=Path(path).name)
        mapping = sources.detect(file, path).mapping()
        dataset = services.dataset_import(owner=None, name="", filename=Path(path).name, file=file, mapping=mapping)
    seconds = time.perf_counter() - started
    if dataset.state != "ready":
        raise SystemExit(dataset.message)
    return {"seconds": round(seconds, 2), "cpu": round(time.process_time() - cpu, 2), "gib": _peak_gib(), "dataset": dataset.pk}


def _prepare(dataset_id: str) -> dict[str, float]:
    _, selectors = _application()
    from searchworker.prepared import PreparedCache  # noqa: PLC0415 - loads torch, which only this step needs

    dataset = selectors.Dataset.objects.get(pk=dataset_id)
    cache, protocol = PreparedCache(), Protocol()
    seconds, cpu = [], []
    for _ in range(2):
        started, used = time.perf_counter(), time.process_time()
        cache.get(dataset.data_blob, protocol, lambda: selectors.dataset_interactions(dataset))
        seconds.append(time.perf_counter() - started)
        cpu.append(time.process_time() - used)
    return {"cold": round(seconds[0], 2), "cached": round(seconds[1], 4), "cpu": round(cpu[0], 2), "gib": _peak_gib()}


def _upload(path: str) -> dict[str, Any]:
    _application()
    from benchmarks.upload import upload_measured  # noqa: PLC0415 - uses tables, which exist once Django is set up

    return upload_measured(Path(path), Path(os.environ["RECSMITH_HOME"]))


def _application() -> tuple[Any, Any]:
    """The services and selectors of datasets, which exist once Django is set up."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    django.setup()
    return import_module("webapp.services.datasets"), import_module("webapp.selectors.datasets")


def _peak_gib() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)


if __name__ == "__main__":
    main()
