"""What is known of a model besides its arrays: ``model.json``, checked when it is read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gnn.errors import BundleTampered, SpaceError
from gnn.protocol import Protocol
from gnn.settings import Settings
from gnn.space import Architecture, SearchSpace

TrainedOn = Literal["train", "all"]
"""The part of the interactions that trials train on, or training, validation and test together."""
Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(max_length=10_000)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Measured(_Part):
    """A metric over several seeds."""

    mean: Number
    sd: Number
    """Sample standard deviation; 0 for one seed."""


class Interval(_Part):
    """Where the mean over all users like those of the test lies."""

    low: Number
    high: Number
    confidence: Number
    users: Count


class Scores(_Part):
    """Metrics on both parts that training does not see, by name, such as ``ndcg@20``."""

    validation: dict[Text, Measured]
    test: dict[Text, Measured]


class Metrics(_Part):
    objective: Text
    seeds: tuple[Count, ...]
    scores: Scores
    """Of the architecture trained on the training part."""
    interval: Interval | None
    """Of the objective on test."""
    baselines: dict[Text, Scores]
    verdict: Text


class Data(_Part):
    name: Text
    version: Count
    sha256: Text
    """Of the interactions as Recsmith stores them."""
    users: Annotated[int, Field(ge=1)]
    items: Annotated[int, Field(ge=1)]
    interactions: Count
    trained_on: TrainedOn
    trained_pairs: Count
    """Distinct pairs of a user and an item that the model was trained with."""


class Training(_Part):
    seed: Count
    epochs: Count
    """Epoch whose weights these are."""
    parameters: Count


class Code(_Part):
    digest: Text
    """SHA-256 of the library's source files."""
    libraries: dict[Text, Text]


class ScorerFacts(_Part):
    """A score is the dot product of a user's and an item's embedding, whatever the architecture's scorer."""

    dim: Annotated[int, Field(ge=1)]
    item_bias: bool
    """Whether the last column of the items is their bias and that of the users 1."""


class ModelDocument(_Part):
    """Everything that a page, a card or another installation says about a model."""

    name: Text
    architecture: dict[Text, int | float | str]
    space: dict[str, Any]
    protocol: dict[str, Any]
    data: Data
    metrics: Metrics
    training: Training
    code: Code
    scorer: ScorerFacts

    @classmethod
    def from_json(cls, document: Any) -> ModelDocument:
        """Read and check a parsed ``model.json``.

        Raises:
            BundleTampered: something is missing, unknown or out of range; the message names it.
        """
        try:
            found = cls.model_validate(document)
        except ValidationError as error:
            first = error.errors()[0]
            raise BundleTampered(f"model.json: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
        try:
            Settings.of(Architecture.of(found.architecture))
            Protocol.from_json(found.protocol)
            SearchSpace.from_json(found.space)
        except SpaceError as error:
            raise BundleTampered(f"model.json: {error}") from error
        return found

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json")
