"""What the API says and takes of searches and trials."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Schema
from pydantic import Field, model_validator

from gnn.catalogue import describe
from gnn.plan import Budget, SearchPlan
from gnn.protocol import Protocol
from gnn.space import Architecture, Choice
from webapp.api.fields import Document, Number, Text
from webapp.api.paging import PageQuery
from webapp.enums import ArmName, RunState, SearchState
from webapp.models import Search, Trial
from webapp.services.searches import CONTROLLER_NAMES

Scores = dict[str, Number]
"""Metric -> value, such as ``ndcg@20``."""


class SearchQuery(PageQuery):
    q: Text = Field(default="", description="Part of the name of the search or its dataset.")
    state: SearchState | None = None


class TrialQuery(PageQuery):
    state: RunState | None = None
    arm: ArmName | None = None
    newest_first: bool = False


class SearchChoices(Schema):
    """What may be chosen anew when a search is started or cloned."""

    name: str = Field(default="", max_length=200, description="Left out, it is named after the dataset and the controller.")
    controller: str = Field(default="ppo", description=f"One of {', '.join(CONTROLLER_NAMES)}.")
    planned_trials: int = Field(default=40, description="Architectures that each arm may train.")
    workers: int = Field(default=2, description="Trials at once.")
    seed: int = Field(default=1, description="With one trial at once, the same seed replays the same search.")
    protocol: Protocol = Field(default=Protocol(), description="How quality is judged.")
    plan: SearchPlan | None = Field(default=None, description="How the search spends; left out, rungs of epochs where trials are long.")


class SearchStart(SearchChoices):
    dataset: int
    preset: str | None = Field(default=None, description="The space by the name of a preset,")
    space: int | None = Field(default=None, description="or by the number of a saved one,")
    document: Document | None = Field(default=None, description="or as JSON; one of the three.")

    @model_validator(mode="after")
    def _one_space(self) -> SearchStart:
        if sum(given is not None for given in (self.preset, self.space, self.document)) != 1:
            raise ValueError("give one of `preset`, `space` and `document`")
        return self


class SearchExtend(Schema):
    trials: int = Field(default=0, ge=0, description="How many more each arm may train.")
    budget: Budget | None = Field(default=None, description="The budget from now on; left out, it stays.")
    seen: int | None = Field(default=None, description="`planned_trials` when you decided, so that a repeated request adds nothing.")


class ArchitectureIn(Schema):
    architecture: dict[str, Choice]


class SearchOut(Schema):
    id: int
    name: str
    owner: str | None
    dataset: int
    state: SearchState
    controller: str
    objective: str
    planned_trials: int
    done: int = Field(description="Trials that gave a score or failed, of all arms.")
    failed: int
    best: Number
    created_at: datetime
    finished_at: datetime | None


class BestOut(Schema):
    number: int
    score: float
    description: str


class BaselineOut(Schema):
    name: str
    label: str
    state: RunState
    score: Number
    message: str


class ProgressOut(Schema):
    planned: int = Field(description="Trials of all arms.")
    done: int
    failed: int
    running: int
    queued: int
    percent: float
    best: BestOut | None
    baselines: list[BaselineOut]
    finalist_runs: int
    finalist_runs_done: int
    elapsed: float = Field(description="Seconds.")
    eta: Number = Field(description="Seconds; null where nothing is known.")


class SearchDetail(SearchOut):
    message: str
    seed: int
    workers: int
    space: Document
    protocol: Document
    plan: Document
    progress: ProgressOut


class LiveQuery(Schema):
    after: int = Field(default=0, ge=0, lt=2**31, description="`cursor` of the answer before.")


class PointOut(Schema):
    order: int
    number: int
    reward: Number = Field(description="null for a failure.")
    failure: str
    arm: ArmName


class InFlightOut(Schema):
    number: int
    state: RunState
    description: str
    epoch: int
    max_epochs: int
    score: Number
    worker: str


class LiveOut(Schema):
    state: SearchState
    cursor: int = Field(description="Send it as `after` to get what came later.")
    points: list[PointOut] = Field(description="Outcomes after `after`, in order; at most a thousand.")
    in_flight: list[InFlightOut]
    progress: ProgressOut


class TrialOut(Schema):
    number: int
    state: RunState
    arm: ArmName
    rung: int = Field(description="Counted from 0.")
    description: str
    architecture: dict[str, Choice]
    score: Number = Field(alias="shown", description="null where there is none; a failure has none.")
    scores: Scores = Field(description="On validation, at the best epoch.")
    epochs: int
    best_epoch: int | None
    parameters: int | None
    train_seconds: Number
    latency_ms: Number
    seed: int
    failure: str
    message: str
    worker: str
    created_at: datetime
    finished_at: datetime | None

    @staticmethod
    def resolve_description(trial: Trial) -> str:
        return describe(Architecture.of(trial.architecture))


class EpochOut(Schema):
    epoch: int
    loss: Number
    scores: Scores
    seconds: float


class MeanOut(Schema):
    mean: float
    sd: float


class LeaderboardRowOut(Schema):
    rank: int
    kind: str
    number: int | None = Field(description="Of the trial; null for a baseline.")
    name: str
    valid_scores: Scores
    test_scores: dict[str, MeanOut] | None = Field(description="Over seeds; null unless the search has finished and it was tested.")
    parameters: int | None
    train_seconds: Number
    seeds: int
    is_finalist: bool
    by_chance: bool = Field(description="Whether random search proposed it.")

    @staticmethod
    def resolve_test_scores(row: Any) -> dict[str, dict[str, float]] | None:
        if row.test_scores is None:
            return None
        return {metric: {"mean": mean, "sd": sd} for metric, (mean, sd) in row.test_scores.items()}


class LeaderboardOut(Schema):
    objective: str
    verdict: str
    rows: list[LeaderboardRowOut]


class ArmOut(Schema):
    name: ArmName
    proposed: int
    told: int
    epochs: int
    seconds: float
    best_reward: Number
    exhausted: bool


class RungCellOut(Schema):
    reached: int
    best: Number


class RungOut(Schema):
    number: int
    end: str
    cells: list[RungCellOut] = Field(description="In the order of the arms.")


class ArmsOut(Schema):
    arms: list[ArmOut]
    rungs: list[RungOut]
    comparisons: list[Document] = Field(description="Paired comparisons on test, once the search has finished.")
    importance: Document = Field(description="Method -> decision -> share.")


def search_shown(search: Search, *, objective: str, done: int, failed: int, best: float | None) -> dict[str, Any]:
    """The fields of ``SearchOut``."""
    names = ("id", "name", "state", "controller", "planned_trials", "created_at", "finished_at")
    return {name: getattr(search, name) for name in names} | {
        "owner": search.owner.username if search.owner else None,
        "dataset": search.dataset_id,
        "objective": objective,
        "done": done,
        "failed": failed,
        "best": best,
    }
