"""The closed sets of states that rows move through."""

from __future__ import annotations

from django.db import models


class DatasetState(models.TextChoices):
    UPLOADED = "uploaded", "Uploaded"
    """Stored; waiting for the person to confirm the columns."""
    INGESTING = "ingesting", "Ingesting"
    READY = "ready", "Ready"
    """Immutable from here on."""
    INVALID = "invalid", "Invalid"
    """Could not be read as mapped; the message says why and the mapping can be corrected."""


class FileKind(models.TextChoices):
    """What the rows of a dataset's file are; the values are those of ``gnn.sources.side.Kind``."""

    INTERACTIONS = "interactions", "Interactions"
    ITEM_ATTRIBUTES = "item_attributes", "Item attributes"
    USER_ATTRIBUTES = "user_attributes", "User attributes"
    SOCIAL = "social", "Social edges"
    TRIPLES = "triples", "Knowledge triples"
    ITEM_LINKS = "item_links", "Links from items to entities"


class PreviewState(models.TextChoices):
    """The life of a preview of a preparation."""

    QUEUED = "queued", "Queued"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"


class SearchState(models.TextChoices):
    RUNNING = "running", "Running"
    PAUSED = "paused", "Paused"
    FINISHING = "finishing", "Testing finalists"
    """The budget is spent; finalists are being retrained and tested."""
    FINISHED = "finished", "Finished"
    STOPPED = "stopped", "Stopped"
    """Ended by a person; nothing was tested."""
    FAILED = "failed", "Failed"


ACTIVE_SEARCH_STATES = (SearchState.RUNNING, SearchState.FINISHING)
"""States in which the search still has work for the workers."""


class RunState(models.TextChoices):
    """The life of anything a worker runs: a trial, a baseline, a finalist run."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    WAITING = "waiting", "Waiting at a rung"
    """Scored at a rung and saved there: a place on the next rung may open. Trials only."""
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"
    STOPPED = "stopped", "Stopped"


IN_FLIGHT_RUN_STATES = (RunState.QUEUED, RunState.RUNNING)
ENDED_RUN_STATES = (RunState.COMPLETED, RunState.FAILED, RunState.STOPPED)


class ModelState(models.TextChoices):
    """The life of a version of a model."""

    BUILDING = "building", "Building"
    READY = "ready", "Ready"
    PROMOTED = "promoted", "Promoted"
    """The one of its model that is served."""
    ARCHIVED = "archived", "Archived"
    FAILED = "failed", "Failed"
    """Its build ended without a model; the message says why."""


class TrainedOn(models.TextChoices):
    """The data of a version of a model; the values are those of ``gnn.bundle.document.TrainedOn``."""

    TRAIN = "train", "Training part, as searched"
    ALL = "all", "All data"


class BatchState(models.TextChoices):
    """The life of a file with the best items of all users."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"


class BatchFormat(models.TextChoices):
    CSV = "csv", "CSV"
    PARQUET = "parquet", "Parquet"


class ArmName(models.TextChoices):
    """Who proposed a trial; arms share the space, the protocol and the workers, and learn nothing from each other."""

    CONTROLLER = "controller", "Controller"
    RANDOM = "random", "Random search"
    MANUAL = "manual", "By hand"


class Ending(models.TextChoices):
    """Why a completed trial trained no further."""

    PATIENCE = "patience", "Stopped improving"
    EPOCHS = "epochs", "All epochs trained"
    MEDIAN = "median", "Below the median of the others"
    RUNG = "rung", "Not promoted from its rung"
    BUDGET = "budget", "The search's budget was spent"
    FAILED_LATER = "failed_later", "Failed on the next rung"
    """What it had reached on the rung before counts."""


CUT_SHORT = (Ending.MEDIAN, Ending.BUDGET)
"""The search ended the training before its rung's end."""


class Failure(models.TextChoices):
    """Why a run failed; each kind has its own reward."""

    OUT_OF_MEMORY = "out_of_memory", "Out of memory"
    DIVERGED = "diverged", "Diverged"
    TIME_LIMIT = "time_limit", "Took too long"
    ERROR = "error", "Unexpected error"
    LOST = "lost", "Worker lost too often"


class Scope(models.TextChoices):
    """What a token lets a program do; none includes another."""

    READ = "read", "Read everything the pages show"
    WRITE = "write", "Upload, start, change and delete"
    RECOMMEND = "recommend", "Ask models for recommendations"
