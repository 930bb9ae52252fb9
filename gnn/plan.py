"""How a search spends: fidelity rungs, arms, objectives, constraints and budgets; frozen with the search, budgets apart."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gnn.errors import SpaceError
from gnn.protocol import LIST_METRIC_NAMES, METRIC_NAMES, Protocol

COST_NAMES = ("parameters", "latency_ms", "train_seconds")
"""What less of is better, over several decades."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Rungs(_Frozen):
    """Successive halving without a barrier (ASHA, Li et al. 2020, arXiv 1810.05934).

    A trial trains up to its rung and waits there; whenever a slot is free, one in the best ``1 / factor`` of a
    rung goes on to the next, ``factor`` times as far.
    """

    by: Literal["epochs", "data"] = "epochs"
    """epochs: a promoted trial goes on from its checkpoint; data: it starts again on ``factor`` times the interactions."""
    first: int = Field(default=3, ge=1, le=10_000)
    """Epochs of the first rung (by epochs); with the defaults of all three, and of the protocol, rungs end at 3, 9, 27 and 100."""
    factor: int = Field(default=3, ge=2, le=10)
    count: int = Field(default=4, ge=2, le=10)
    """Rungs, the last of which has every epoch or all the data."""

    def epochs(self, max_epochs: int) -> tuple[int, ...]:
        """Epochs at which each rung ends, ascending; the last is ``max_epochs``."""
        if self.by == "data":
            return (max_epochs,) * self.count
        below = [self.first * self.factor**rung for rung in range(self.count - 1)]
        return (*(epochs for epochs in below if epochs < max_epochs), max_epochs)

    def share(self, rung: int) -> float:
        """Share of the training interactions that a rung trains on."""
        return 1.0 if self.by == "epochs" else float(self.factor) ** (rung + 1 - self.count)


class Term(_Frozen):
    """One objective; the reward is the weighted sum of all terms."""

    measure: str
    """``recall@20``, ``coverage@10``, ``fairness_gap@20``, ``parameters``, ``latency_ms`` or ``train_seconds``."""
    weight: float = Field(ge=0, le=1e6)


class Constraints(_Frozen):
    """Limits on architectures; None is no limit."""

    max_parameters: int | None = Field(default=None, ge=1)
    max_memory_mib: int | None = Field(default=None, ge=1)
    """Estimated memory of training."""
    max_latency_ms: float | None = Field(default=None, gt=0)
    """Time to rank the catalogue for one user; known only after training, so it lowers the reward."""
    max_train_seconds: float | None = Field(default=None, gt=0)
    """As the latency: known only after training."""


class Budget(_Frozen):
    """What ends a search before its planned trials are spent, whichever comes first; None is no limit."""

    epochs: int | None = Field(default=None, ge=1)
    """Trained epochs of the controller's arm."""
    seconds: float | None = Field(default=None, gt=0)
    """Wall clock since the start, pauses included."""
    worker_seconds: float | None = Field(default=None, gt=0)
    """Training time summed over workers and arms."""
    target: float | None = None
    """Reward that is good enough."""
    stale_trials: int | None = Field(default=None, ge=1)
    """Trials of the controller's arm without a better reward."""


class SearchPlan(_Frozen):
    """Everything about a search that is neither its space nor how quality is judged."""

    rungs: Rungs | None = None
    """None trains every trial to its end."""
    median_stop: bool = False
    """Stop a trial whose best score is below the median of the others at the same epoch (Golovin et al. 2017)."""
    random_arm: bool = True
    """Spend as much again on random search, so that the controller's gain over it is seen."""
    inherit: bool = False
    """Start a trial from the embeddings of the best finished trial of the same size; finalists always start from scratch."""
    standard_first: bool = False
    """Begin the controller's arm with the space's standard architecture, the catalogue's defaults; rungs may stop it like any other."""
    prior: bool = False
    """Start the controller from good architectures of earlier searches on similar datasets."""
    objectives: tuple[Term, ...] = ()
    """Empty: the protocol's metric alone."""
    constraints: Constraints = Constraints()
    budget: Budget = Budget()
    reward: Literal["hold_out", "k_fold"] = "hold_out"
    """k_fold: the mean over all folds of the protocol's cross-validation that do not test."""
    text_model: str = Field(default="", max_length=300)
    """The sentence-transformers model, by its name on the hub or its folder, that makes features of the items' texts; empty reads none."""

    @model_validator(mode="after")
    def _check(self) -> SearchPlan:
        if self.objectives and all(term.weight == 0 for term in self.objectives):
            raise ValueError("all objectives have the weight 0, so nothing would be searched for; give one a weight above 0")
        measures = [term.measure for term in self.objectives]
        if len(set(measures)) != len(measures):
            raise ValueError(f"an objective is listed twice: {', '.join(measures)}")
        if self.reward == "k_fold" and (self.rungs is not None or self.median_stop or self.inherit):
            raise ValueError("a k-fold reward trains each trial to its end on every fold: turn off rungs, median stop and inheritance")
        return self

    @classmethod
    def usual(cls, max_epochs: int) -> SearchPlan:
        """The plan of a person who asked for none: the standard first; rungs by epochs where a trial is longer than the first."""
        rungs = Rungs()
        return cls(standard_first=True, rungs=rungs if rungs.first < max_epochs else None)

    @property
    def grows_data(self) -> bool:
        """Whether each rung starts again on more data, so that figures and rewards of one rung do not go on in the next."""
        return self.rungs is not None and self.rungs.by == "data"

    @property
    def needs_latency(self) -> bool:
        """Whether trials are timed for how fast they rank."""
        return self.constraints.max_latency_ms is not None or any(term.measure == "latency_ms" for term in self.objectives)

    def check(self, protocol: Protocol) -> None:
        """Raise SpaceError unless the plan fits how quality is judged."""
        known = {f"{name}@{k}" for name in (*METRIC_NAMES, *LIST_METRIC_NAMES, "fairness_gap") for k in protocol.cutoffs} | {*COST_NAMES}
        for term in self.objectives:
            if term.measure not in known:
                cutoffs = ", ".join(map(str, protocol.cutoffs))
                raise SpaceError(
                    f"'{term.measure}' is not measured; take {', '.join(COST_NAMES)}, or one of {', '.join(METRIC_NAMES)}, "
                    f"{', '.join(LIST_METRIC_NAMES)}, fairness_gap at K of {cutoffs}.",
                    field="objectives",
                )
        if self.reward == "k_fold" and protocol.split != "k_fold":
            raise SpaceError("A k-fold reward needs the split 'k_fold'.", field="reward")
        if self.rungs is not None and self.rungs.by == "epochs" and self.rungs.first >= protocol.max_epochs:
            raise SpaceError(
                f"The first rung has {self.rungs.first} epochs, which must be below the {protocol.max_epochs} of a trial.", field="rungs"
            )

    @classmethod
    def from_json(cls, document: Any) -> SearchPlan:
        """Read a plan from parsed JSON.

        Raises:
            SpaceError: a setting is unknown or out of range; ``field`` names it.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            message = str(first["msg"]).removeprefix("Value error, ")  # pydantic's words for our own checks
            name = str(first["loc"][0]) if first["loc"] else None
            raise SpaceError(f"Plan{f' setting {place}' if place else ''}: {message}.", field=name) from error

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json")
