"""The library from a shell: ``python -m gnn fit|evaluate|baselines PATH``; prints a table, or one line of JSON."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from gnn.baselines import BASELINES, fit_baseline
from gnn.device import set_threads
from gnn.errors import DataError, GnnError, SpaceError, TrainError
from gnn.evaluate import EmbeddingScorer, Scorer, Targets, build_targets, evaluate_test, evaluate_validation
from gnn.graph import Graph, build_graph
from gnn.heap import keep_freed_memory
from gnn.interactions import Interactions
from gnn.loading import load
from gnn.model import build_model
from gnn.predictions import observed, prediction_metrics
from gnn.protocol import METRIC_NAMES, SPLIT_KINDS, Protocol
from gnn.snapshot import pack, unpack
from gnn.space import Architecture
from gnn.train import EpochReport, TrainConfig, fit

PARTS = ("validation", "test")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it succeeded, 1 with the reason on standard error when it did not."""
    options = _parser().parse_args(arguments)
    set_threads(options.threads)
    keep_freed_memory()
    try:
        report = options.run(options)
    except GnnError as error:
        print(error, file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(report))
    else:
        options.show(report, options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gnn", description="Train and judge recommenders on an interaction table.")
    commands = parser.add_subparsers(required=True)
    defaults = Protocol()
    for name, run, show, help_text in (
        ("fit", _fit, _print_model, "train one architecture and show its validation scores"),
        ("evaluate", _evaluate, _print_model, "show the validation and test scores of a trained model"),
        ("baselines", _baselines, _print_baselines, "show the validation and test scores of the baselines"),
    ):
        command = commands.add_parser(name, help=help_text, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        command.set_defaults(run=run, show=show)
        command.add_argument("path", type=Path, help="a file, or a folder with train.csv, valid.csv and test.csv")
        command.add_argument("--split", choices=SPLIT_KINDS, default=defaults.split, help="how to split a file")
        command.add_argument("--valid-fraction", type=float, default=defaults.valid_fraction, help="share that validates")
        command.add_argument("--test-fraction", type=float, default=defaults.test_fraction, help="share that tests")
        command.add_argument("--folds", type=int, default=defaults.folds, help="parts of a cross-validation, --split k_fold")
        command.add_argument("--fold", type=int, default=defaults.fold, help="the part that tests, counted from 0")
        command.add_argument("--valid-fold", type=int, help="the part that validates; left out, the one after it")
        command.add_argument("--split-seed", type=int, default=defaults.split_seed)
        command.add_argument("--metric", choices=METRIC_NAMES, default=defaults.metric)
        command.add_argument("--k", type=int, default=defaults.k, help="length of the recommended list")
        command.add_argument("--threads", type=int, default=torch.get_num_threads())
        command.add_argument("--json", action="store_true", help="print one line of JSON instead of a table")
        if name == "fit":
            command.add_argument("--arch", default="{}", help="decisions as JSON text, or a file of it; the rest takes defaults")
            command.add_argument("--max-epochs", type=int, default=defaults.max_epochs)
            command.add_argument("--stop-after", type=int, help="end after this epoch, as a search ends a trial at a rung")
            command.add_argument("--patience", type=int, default=defaults.patience)
            command.add_argument("--seed", type=int, default=0)
            command.add_argument("--device", default="auto")
            command.add_argument("--out", type=Path, help="write the trained embeddings here")
        if name == "evaluate":
            command.add_argument("--model", type=Path, required=True, help="what fit wrote with --out")
        if name == "baselines":
            command.add_argument("--only", action="append", choices=BASELINES, help="one baseline; may be given again for more")
    return parser


class _Task:
    """A split table, ready to train and judge on."""

    def __init__(self, options: argparse.Namespace) -> None:
        names = (
            "split", "valid_fraction", "test_fraction", "split_seed", "folds", "fold", "valid_fold", "metric", "k", "max_epochs",
            "patience",
        )  # fmt: skip
        self.protocol = Protocol.from_json({name: getattr(options, name) for name in names if hasattr(options, name)})
        loaded = load(options.path, self.protocol)
        self.interactions: Interactions = loaded.interactions
        self.graph: Graph = build_graph(self.interactions, loaded.split.train)
        self.valid: Targets = build_targets(self.interactions, loaded.split.valid, self.graph)
        self._split = loaded.split

    @property
    def ids_digest(self) -> str:
        """Embeddings only fit a table with the same users and items in the same order."""
        digest = hashlib.sha256()
        for ids in (self.interactions.user_ids, self.interactions.item_ids):
            digest.update("\0".join(ids.to_list()).encode() + b"\1")
        return digest.hexdigest()

    def scores(self, scorer: Scorer) -> dict[str, dict[str, float]]:
        test = build_targets(self.interactions, self._split.test, self.graph, self.valid)
        cutoffs = self.protocol.cutoffs
        valid_rows, test_rows = (observed(self.interactions, index) for index in (self._split.valid, self._split.test))
        return {
            "validation": dict(evaluate_validation(scorer, self.graph, self.valid, cutoffs).values),
            "test": dict(evaluate_test(scorer, self.graph, test, cutoffs, also_seen=self.valid).values)
            | prediction_metrics(scorer, self.graph.n_items, valid_rows, test_rows),
        }


def _fit(options: argparse.Namespace) -> dict[str, Any]:
    architecture = _architecture(options.arch)
    task = _Task(options)
    protocol = task.protocol
    model = build_model(architecture, task.graph, options.seed)
    config = TrainConfig(
        protocol.max_epochs, protocol.patience, protocol.objective, protocol.cutoffs, seed=options.seed, device=options.device
    )
    with _progress() as progress:
        bar = progress.add_task("training", total=protocol.max_epochs)

        def show(report: EpochReport) -> bool:
            value = report.scores.values[protocol.objective]
            progress.update(bar, completed=report.epoch, description=f"loss {report.loss:.3f} {protocol.objective} {value:.4f}")
            return bool(report.epoch == options.stop_after)

        result = fit(model, task.graph, task.valid, config, show)
    if options.out is not None:
        tensors = {"users": result.scorer.users, "items": result.scorer.items}
        options.out.write_bytes(pack(tensors, {"architecture": architecture.to_json(), "ids": task.ids_digest}))
    return {
        "architecture": architecture.to_json(),
        "parameters": model.parameter_count,
        "best_epoch": result.best_epoch,
        "epochs": result.epochs,
        "seconds": result.seconds,
        "validation": dict(result.scores.values),
    }


def _evaluate(options: argparse.Namespace) -> dict[str, Any]:
    task = _Task(options)
    try:
        tensors, values = unpack(options.model.read_bytes())
    except OSError as error:
        raise DataError(f"{options.model} cannot be read: {error.strerror}.") from error
    if values.get("ids") != task.ids_digest:
        raise DataError(f"{options.model} was trained on other users or items than {options.path} has.")
    scorer = EmbeddingScorer(tensors["users"], tensors["items"])
    return {"architecture": values["architecture"], **task.scores(scorer)}


def _baselines(options: argparse.Namespace) -> dict[str, Any]:
    task = _Task(options)
    names = options.only or BASELINES
    report: dict[str, Any] = {}
    with _progress() as progress:
        bar = progress.add_task("baselines", total=len(names))
        for name in names:
            progress.update(bar, description=name)
            started = time.perf_counter()
            try:
                scorer = fit_baseline(name, task.graph, task.valid)
            except TrainError as error:
                report[name] = {"error": str(error)}
            else:
                report[name] = {"seconds": time.perf_counter() - started, **task.scores(scorer)}
            progress.advance(bar)
    return report


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True))


def _print_model(report: dict[str, Any], options: argparse.Namespace) -> None:
    """What is known of one model line by line, then its scores by metric and part."""
    parts = [part for part in PARTS if part in report]
    for name, value in report.items():
        if name not in parts:
            print(f"{name}: {json.dumps(value)}")
    table = _table("metric", *parts)
    for metric in dict.fromkeys(name for part in parts for name in report[part]):
        table.add_row(metric, *(f"{report[part][metric]:.4f}" if metric in report[part] else "" for part in parts))
    Console().print(table)


def _print_baselines(report: dict[str, Any], options: argparse.Namespace) -> None:
    """The objective, recall and NDCG of each baseline, and why one has none."""
    metrics = dict.fromkeys(f"{name}@{options.k}" for name in (options.metric, "recall", "ndcg"))
    table = _table("baseline", *(f"{part}\n{metric}" for metric in metrics for part in PARTS))
    for name, scores in report.items():
        if "error" in scores:
            print(f"{name}: {scores['error']}")
        else:
            table.add_row(name, *(f"{scores[part][metric]:.4f}" for metric in metrics for part in PARTS))
    Console().print(table)


def _table(first: str, *headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(first)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _architecture(text: str) -> Architecture:
    try:
        document = json.loads(text if text.lstrip().startswith("{") else Path(text).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpaceError(f"The architecture is neither JSON nor a file of it: {error}.") from error
    if not isinstance(document, dict) or not all(isinstance(choice, int | float | str) for choice in document.values()):
        raise SpaceError("An architecture is a JSON object of decisions and their choices.")
    return Architecture.of(document)


if __name__ == "__main__":
    sys.exit(main())
