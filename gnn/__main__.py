"""The library from a shell: ``python -m gnn fit|evaluate|baselines PATH``; prints one JSON object."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gnn.baselines import BASELINES, fit_baseline
from gnn.device import set_threads
from gnn.errors import DataError, GnnError, SpaceError
from gnn.evaluate import EmbeddingScorer, Scorer, Targets, build_targets, evaluate_test, evaluate_validation
from gnn.graph import Graph, build_graph
from gnn.interactions import Interactions
from gnn.loading import load
from gnn.model import build_model
from gnn.protocol import METRIC_NAMES, Protocol
from gnn.snapshot import pack, unpack
from gnn.space import Architecture
from gnn.train import EpochReport, TrainConfig, fit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it succeeded, 1 with the reason on standard error when it did not."""
    options = _parser().parse_args(arguments)
    set_threads(options.threads)
    try:
        report = options.run(options)
    except GnnError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(report))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gnn", description="Train and judge recommenders on an interaction table.")
    commands = parser.add_subparsers(required=True)
    defaults = Protocol()
    for name, run, help_text in (
        ("fit", _fit, "train one architecture and print its validation scores"),
        ("evaluate", _evaluate, "print the validation and test scores of a trained model"),
        ("baselines", _baselines, "print the validation and test scores of the baselines"),
    ):
        command = commands.add_parser(name, help=help_text, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        command.set_defaults(run=run)
        command.add_argument("path", type=Path, help="a delimited file, or a folder with train.csv, valid.csv and test.csv")
        command.add_argument("--split", choices=("ratio", "leave_one_out", "temporal"), default=defaults.split)
        command.add_argument("--split-seed", type=int, default=defaults.split_seed)
        command.add_argument("--metric", choices=METRIC_NAMES, default=defaults.metric)
        command.add_argument("--k", type=int, default=defaults.k, help="length of the recommended list")
        command.add_argument("--threads", type=int, default=torch.get_num_threads())
        if name == "fit":
            command.add_argument("--architecture", default="{}", help="decisions as JSON text, or a file of it; the rest takes defaults")
            command.add_argument("--max-epochs", type=int, default=defaults.max_epochs)
            command.add_argument("--patience", type=int, default=defaults.patience)
            command.add_argument("--seed", type=int, default=0)
            command.add_argument("--device", default="auto")
            command.add_argument("--out", type=Path, help="write the trained embeddings here")
        if name == "evaluate":
            command.add_argument("--model", type=Path, required=True, help="what fit wrote with --out")
    return parser


class _Task:
    """A split table, ready to train and judge on."""

    def __init__(self, options: argparse.Namespace) -> None:
        names = ("split", "split_seed", "metric", "k", "max_epochs", "patience")
        self.protocol = Protocol.from_json({name: getattr(options, name) for name in names if hasattr(options, name)})
        loaded = load(options.path, self.protocol)
        self.interactions: Interactions = loaded.interactions
        self.graph: Graph = build_graph(self.interactions, loaded.split.train)
        self.valid: Targets = build_targets(self.interactions, loaded.split.valid, self.graph)
        self._test_index = loaded.split.test

    @property
    def ids_digest(self) -> str:
        """Embeddings only fit a table with the same users and items in the same order."""
        digest = hashlib.sha256()
        for ids in (self.interactions.user_ids, self.interactions.item_ids):
            digest.update("\0".join(ids.to_list()).encode() + b"\1")
        return digest.hexdigest()

    def scores(self, scorer: Scorer) -> dict[str, dict[str, float]]:
        test = build_targets(self.interactions, self._test_index, self.graph, self.valid)
        cutoffs = self.protocol.cutoffs
        return {
            "validation": dict(evaluate_validation(scorer, self.graph, self.valid, cutoffs).values),
            "test": dict(evaluate_test(scorer, self.graph, test, cutoffs, also_seen=self.valid).values),
        }


def _fit(options: argparse.Namespace) -> dict[str, Any]:
    architecture = _architecture(options.architecture)
    task = _Task(options)
    protocol = task.protocol
    model = build_model(architecture, task.graph, options.seed)
    config = TrainConfig(
        protocol.max_epochs, protocol.patience, protocol.objective, protocol.cutoffs, seed=options.seed, device=options.device
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("training", total=protocol.max_epochs)

        def show(report: EpochReport) -> None:
            value = report.scores.values[protocol.objective]
            progress.update(bar, completed=report.epoch, description=f"loss {report.loss:.3f} {protocol.objective} {value:.4f}")

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
    return {name: task.scores(fit_baseline(name, task.graph, task.valid)) for name in BASELINES}


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
