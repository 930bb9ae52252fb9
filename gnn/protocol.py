"""How quality is judged: the split, the metric the search maximises, and the training budget of a trial."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gnn.errors import SpaceError

MetricName = Literal["precision", "recall", "f1", "ndcg", "map", "mrr", "hit"]
METRIC_NAMES: tuple[str, ...] = get_args(MetricName)
"""Metrics a search may maximise."""
LIST_METRIC_NAMES = ("coverage", "gini", "novelty", "popularity")
"""Metrics that are reported beside them and say nothing about relevance."""
SplitKind = Literal["ratio", "leave_one_out", "temporal", "k_fold", "predefined"]
SPLIT_KINDS: tuple[str, ...] = get_args(SplitKind)


class Protocol(BaseModel):
    """Everything that must be equal before two scores may be compared, frozen with a search."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: SplitKind = "ratio"
    """ratio: a share of each user's interactions; leave_one_out: each user's last two; temporal: global time; k_fold: cross-validation;
    predefined: as the data came divided."""
    valid_fraction: float = Field(default=0.1, gt=0, lt=0.5)
    """Share of interactions kept for validation (ratio, temporal, and predefined when the data came without validation)."""
    test_fraction: float = Field(default=0.1, gt=0, lt=0.5)
    """Share of interactions kept for the final test (ratio and temporal)."""
    folds: int = Field(default=5, ge=3, le=100)
    """Parts of a cross-validation (k_fold)."""
    fold: int = Field(default=0, ge=0, lt=100)
    """The part that tests (k_fold)."""
    valid_fold: int | None = Field(default=None, ge=0, lt=100)
    """The part that validates; None is the one after the one that tests (k_fold)."""
    metric: MetricName = "ndcg"
    k: int = Field(default=20, ge=1, le=1000)
    """Length of the recommended list the objective looks at."""
    ks: tuple[int, ...] = (10, 20)
    """List lengths every report shows."""
    max_epochs: int = Field(default=100, ge=1, le=100_000)
    patience: int = Field(default=8, ge=1, le=1000)
    """Validations without improvement after which a trial stops."""
    finalists: int = Field(default=3, ge=1, le=20)
    """Architectures retrained and tested when the search ends."""
    finalist_seeds: int = Field(default=3, ge=1, le=20)
    split_seed: int = Field(default=2026, ge=0, lt=2**31)

    @model_validator(mode="after")
    def _check(self) -> Protocol:
        if self.valid_fraction + self.test_fraction >= 0.9:
            raise ValueError(
                f"valid_fraction {self.valid_fraction} and test_fraction {self.test_fraction} leave less than a tenth for training"
            )
        if self.fold >= self.folds:
            raise ValueError(f"fold must be below the number of folds, {self.folds}, but is {self.fold}")
        if self.valid_fold is not None and (self.valid_fold >= self.folds or self.valid_fold == self.fold):
            raise ValueError(f"valid_fold must be below {self.folds} and not the fold {self.fold} that tests, but is {self.valid_fold}")
        if not self.ks or any(not 1 <= k <= 1000 for k in self.ks):
            raise ValueError(f"ks must be list lengths from 1 to 1000, but are {list(self.ks)}")
        return self

    @property
    def objective(self) -> str:
        """The name of the metric the search maximises, e.g. ``ndcg@20``."""
        return f"{self.metric}@{self.k}"

    @property
    def cutoffs(self) -> tuple[int, ...]:
        """All list lengths to compute, ascending: those reported and the objective's own."""
        return tuple(sorted({*self.ks, self.k}))

    def each_valid_fold(self) -> list[Protocol]:
        """This protocol once for every part that does not test, each validating once."""
        return [self.model_copy(update={"valid_fold": fold}) for fold in range(self.folds) if fold != self.fold]

    @classmethod
    def from_json(cls, document: Any) -> Protocol:
        """Read a protocol from parsed JSON.

        Raises:
            SpaceError: a setting is unknown or out of range; ``field`` names it.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]) if first["loc"] else None
            message = str(first["msg"]).removeprefix("Value error, ")  # pydantic's words for our own checks
            raise SpaceError(f"Protocol{f' setting {name}' if name else ''}: {message}.", field=name) from error

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json")
