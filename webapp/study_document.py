"""A search as files that another installation can go on from: what is in them, checked when they are read.

Everything is JSON or, within it, safetensors: nothing in a study is executed. Trials, runs, reports and arms are one JSON
object a line, so that a study of any length is read and written in constant memory.
"""

from __future__ import annotations

import json
import zipfile
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import numpy as np
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, ValidationError
from safetensors import SafetensorError, deserialize

from gnn.bundle.members import MAX_JSON, Form
from gnn.errors import BundleTampered, BundleUnsafe
from gnn.slices import Slices
from webapp.enums import ArmName, Ending, Failure, FileKind, RunState, SearchState

STUDY = Form(
    name="recsmith.study",
    what="a search",
    members={1: ("study.json", "trials.jsonl", "runs.jsonl", "reports.jsonl", "arms.jsonl")},
    documents=("study.json",),
    max_bytes=8 * 2**30,
    max_ratio=200,
    compression=zipfile.ZIP_DEFLATED,
)

Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Large = Annotated[int, Field(ge=0, lt=2**63)]
Line = Annotated[str, Field(max_length=200)]
Text = Annotated[str, Field(max_length=100_000)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Scores = dict[Line, Number]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _binary(value: Any) -> bytes:
    if isinstance(value, bytes | memoryview):
        return bytes(value)
    if not isinstance(value, str):
        raise ValueError("must be text in Base64")
    return b64decode(value, validate=True)


def _text(value: bytes) -> str:
    return b64encode(value).decode()


def _safetensors(value: bytes) -> bytes:
    try:
        deserialize(value)  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise ValueError(f"is not a safetensors document: {error}") from error
    return value


def _finite_values(value: bytes) -> bytes:
    if len(value) % 4 or not np.isfinite(np.frombuffer(value, dtype="<f4")).all():
        raise ValueError("is not a run of finite 32-bit numbers")
    return value


def _slices(value: dict[str, Any]) -> dict[str, Any]:
    try:
        found = Slices.from_json(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"are not slices of a metric: {type(error).__name__} {error}") from error
    return {} if found is None else found.to_json()


Binary = Annotated[bytes, PlainValidator(_binary), PlainSerializer(_text, return_type=str, when_used="json")]
Safetensors = Annotated[Binary, AfterValidator(_safetensors)]
UserValues = Annotated[Binary, AfterValidator(_finite_values)]
"""A metric for each test user, little-endian float32."""
Sliced = Annotated[dict[str, Any], AfterValidator(_slices)]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def line(self) -> str:
        return json.dumps(self.model_dump(mode="json"), allow_nan=False) + "\n"


class StudyFile(Part):
    kind: FileKind
    sha256: Digest
    """As Recsmith stores it."""


class StudyData(Part):
    """The data that the search was made on, which is not part of a study."""

    name: Line
    version: Count
    sha256: Digest
    """Of the interactions as Recsmith stores them."""
    users: Count
    items: Count
    interactions: Large
    pairs: Large
    files: tuple[StudyFile, ...]
    """Tables beside the interactions, sorted."""


class StudyComparison(Part):
    kind: Line
    first: Line
    second: Line
    difference: Number
    low: Number
    high: Number
    p: Number


class StudySearch(Part):
    name: Line
    space: dict[str, Any]
    protocol: dict[str, Any]
    plan: dict[str, Any]
    controller: Line
    planned_trials: Count
    workers: Count
    seed: Large
    start_token: UUID
    """Tells the search from all others, also on another installation."""
    state: SearchState
    message: Text
    spent: Text
    comparisons: tuple[StudyComparison, ...]
    importance: dict[Line, dict[Line, Number]]
    importance_trials: Count | None
    importance_note: Text
    created_at: AwareDatetime
    finished_at: AwareDatetime | None


class Study(Part):
    """``study.json``."""

    exported_at: AwareDatetime
    code: Digest
    """SHA-256 of the library's source files."""
    data: StudyData
    search: StudySearch


class _Run(Part):
    """What all work of a search has."""

    state: RunState
    failure: Failure | Literal[""]
    message: Text
    worker: Line
    losses: Count
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    train_seconds: Seconds | None


class StudyRung(Part):
    rung: Annotated[int, Field(ge=0, lt=2**15)]
    epochs: Count
    seconds: Seconds
    reward: Number
    worker: Line
    ended_at: AwareDatetime | None


class StudyEpoch(Part):
    epoch: Count
    loss: Number
    best: Number | None
    scores: Scores
    seconds: Seconds


class StudyTrial(_Run):
    number: Annotated[int, Field(ge=1, lt=2**31)]
    arm: ArmName
    rung: Annotated[int, Field(ge=0, lt=2**15)]
    architecture: dict[Line, int | float | str]
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    behaviour: dict[str, Any]
    """What the controller wants back with the outcome."""
    seed: Large
    parameters: Large | None
    epochs: Count
    best_epoch: Count | None
    scores: Scores
    slices: Sliced
    reward: Number | None
    told_order: Count | None
    ending: Ending | Literal[""]
    latency_ms: Seconds | None
    same_as: Count | None
    """Number of the trial whose results it shares."""
    inherited_from: Count | None
    """Number of the trial whose embeddings it started from."""
    rungs: tuple[StudyRung, ...]
    curve: tuple[StudyEpoch, ...]


class StudyRun(_Run):
    """A baseline, or one seed of a finalist."""

    baseline: Annotated[str, Field(max_length=32)]
    """Its name; empty for a finalist."""
    trial: Count | None
    """Number of the finalist's trial; None for a baseline."""
    seed: Large | None
    epochs: Count
    best_epoch: Count | None
    valid_scores: Scores
    test_scores: Scores
    valid_slices: Sliced
    test_slices: Sliced
    test_users: UserValues | None


class StudyReport(Part):
    """What the controller believed at one time."""

    told: Count
    diagnostics: dict[Line, Number | None]
    marginals: dict[Line, list[Number]]


class StudyArm(Part):
    """A proposer of the search, what it has spent, and the state of its controller in parts."""

    name: ArmName
    proposed: Count
    told: Count
    epochs: Large
    seconds: Seconds
    best_reward: Number | None
    stale: Count
    exhausted: bool
    state: Safetensors | None
    parts: dict[Annotated[str, Field(max_length=64)], Safetensors]


Kind = TypeVar("Kind", bound=Part)


def study_read(folder: Path) -> Study:
    """Read ``study.json`` of a verified folder.

    Raises:
        BundleTampered: it is not what a study has; the message names the field.
    """
    return _checked(Study, (folder / "study.json").read_bytes(), "study.json")


def lines_read(kind: type[Kind], path: Path, *, most: int) -> Iterator[Kind]:
    """The objects of a file of lines, each checked.

    Raises:
        BundleTampered: a line is not such an object, or there are more than ``most``.
        BundleUnsafe: a line is too long to be read.
    """
    with path.open("rb") as file:
        for number in range(1, most + 2):
            line = file.readline(MAX_JSON + 1)
            if not line:
                return
            if len(line) > MAX_JSON:
                raise BundleUnsafe(f"Line {number} of {path.name} is longer than {MAX_JSON:,} bytes, so it was not read.")
            if number > most:
                raise BundleTampered(f"{path.name} has more than {most:,} lines.")
            yield _checked(kind, line, f"{path.name}, line {number}")


def _checked(kind: type[Kind], content: bytes, place: str) -> Kind:
    try:
        return kind.model_validate(json.loads(content, parse_constant=_refused), by_alias=True)
    except ValidationError as error:
        first = error.errors()[0]
        raise BundleTampered(f"{place}: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
    except (ValueError, RecursionError) as error:
        raise BundleTampered(f"{place} is not JSON: {error}.") from error


def _refused(name: str) -> float:
    raise ValueError(f"{name} is not a number")
