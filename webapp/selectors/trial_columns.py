"""The columns that the table of trials can show, each with how it is sorted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.db.models import Expression, F
from django.db.models.fields.json import KeyTransform
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from gnn.catalogue import LABELS, describe
from gnn.protocol import METRIC_NAMES, Protocol
from gnn.space import Architecture, Choice, DecisionSpec, SearchSpace, choice_text
from webapp.models import Search
from webapp.selectors.searches import metric_label
from webapp.selectors.trials import decision_label

Kind = Literal["number", "state", "score", "text", "whole", "milliseconds", "duration", "moment", "architecture"]

USUAL = ("number", "state", "arm", "reward", "architecture", "epochs", "parameters", "seconds")
"""What a table shows whose URL names no columns."""

SORTED_DECISIONS = 4
"""Decisions of the space that architectures are sorted by; more would change the order of few."""


@dataclass(frozen=True)
class Column:
    """One column; ``order`` are the expressions it is sorted by, ``value`` reads its cell from a trial."""

    name: str
    label: str | Promise
    kind: Kind
    order: tuple[Expression | F, ...]
    value: Callable[[Any], Any]
    group: str | Promise = ""
    """Under which heading the chooser lists it."""

    @property
    def css(self) -> str:
        return "" if self.kind in ("state", "text", "architecture") else "num"


def trial_columns(search: Search) -> dict[str, Column]:
    """Every column of the search by its name in the URL: facts, validation metrics, decisions."""
    protocol, space = Protocol.from_json(search.protocol), SearchSpace.from_json(search.space)
    metrics = [f"{name}@{k}" for k in protocol.cutoffs for name in METRIC_NAMES]
    columns = [*_facts(space), *map(_metric, metrics), *(_decision(space, spec) for spec in space.specs)]
    return {column.name: column for column in columns}


def columns_chosen(columns: dict[str, Column], names: Sequence[str]) -> list[Column]:
    """Those of ``names`` that exist, in the order of the table; the usual ones where none does. Trials can always be told apart."""
    wanted = {name for name in names if name in columns} or set(USUAL)
    return [column for name, column in columns.items() if name in wanted or name == "number"]


def _facts(space: SearchSpace) -> list[Column]:
    group = _("Trial")
    first = tuple(KeyTransform(decision.name, "architecture") for decision in space.decisions[:SORTED_DECISIONS])
    return [
        Column("number", _("Trial"), "number", (F("number"),), lambda trial: trial.number, group),
        Column("state", _("State"), "state", (F("state"), F("failure")), lambda trial: trial.state, group),
        Column("arm", _("Arm"), "text", (F("arm"),), lambda trial: trial.get_arm_display(), group),
        Column("reward", _("Score"), "score", (F("shown"),), lambda trial: trial.shown, group),
        Column("architecture", _("Architecture"), "architecture", first, _described, group),
        Column("rung", _("Rung"), "whole", (F("rung"),), lambda trial: trial.rung + 1, group),
        Column("epochs", _("Epochs"), "whole", (F("epochs"),), lambda trial: trial.epochs or None, group),
        Column("best_epoch", _("Best epoch"), "whole", (F("best_epoch"),), lambda trial: trial.best_epoch, group),
        Column("parameters", _("Parameters"), "whole", (F("parameters"),), lambda trial: trial.parameters, group),
        Column("seconds", _("Training"), "duration", (F("train_seconds"),), lambda trial: trial.train_seconds, group),
        Column("latency_ms", _("Latency, ms"), "milliseconds", (F("latency_ms"),), lambda trial: trial.latency_ms, group),
        Column("ending", _("Trained until"), "text", (F("ending"),), lambda trial: trial.get_ending_display(), group),
        Column("told_order", _("Told as"), "whole", (F("told_order"),), lambda trial: trial.told_order, group),
        Column("worker", _("Worker"), "text", (F("worker"),), lambda trial: trial.worker, group),
        Column("started_at", _("Started"), "moment", (F("started_at"),), lambda trial: trial.started_at, group),
        Column("finished_at", _("Ended"), "moment", (F("finished_at"),), lambda trial: trial.finished_at, group),
    ]


def _metric(metric: str) -> Column:
    order = (KeyTransform(metric, "scores"),)
    return Column(metric, metric_label(metric), "score", order, lambda trial: trial.scores.get(metric), _("Validation metrics"))


def _decision(space: SearchSpace, spec: DecisionSpec) -> Column:
    names = expanded(space, spec)
    order = tuple(KeyTransform(name, "architecture") for name in names)
    return Column(
        f"d.{spec.name}",
        decision_label(spec.name),
        "text",
        order,
        lambda trial: ", ".join(choice_words(trial.architecture[name]) for name in names if name in trial.architecture),
        _("Decisions"),
    )


def expanded(space: SearchSpace, spec: DecisionSpec) -> list[str]:
    """Names of the decision in architectures: one for each layer where it is made per layer."""
    return [decision.name for decision in space.decisions if decision.name.partition(".")[0] == spec.name]


def choice_words(choice: Choice) -> str:
    """A choice as people read it."""
    return LABELS.get(str(choice), choice_text(choice))


def _described(trial: Any) -> str:
    return describe(Architecture.of(trial.architecture))
