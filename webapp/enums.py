"""The closed sets of states that rows move through."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class DatasetState(models.TextChoices):
    UPLOADED = "uploaded", _("Uploaded")
    """Stored; waiting for the person to confirm the columns."""
    INGESTING = "ingesting", _("Ingesting")
    READY = "ready", _("Ready")
    """Immutable from here on."""
    INVALID = "invalid", _("Invalid")
    """Could not be read as mapped; the message says why and the mapping can be corrected."""


class FileKind(models.TextChoices):
    """What the rows of a dataset's file are; the values are those of ``gnn.sources.side.Kind``."""

    INTERACTIONS = "interactions", _("Interactions")
    ITEM_ATTRIBUTES = "item_attributes", _("Item attributes")
    USER_ATTRIBUTES = "user_attributes", _("User attributes")
    SOCIAL = "social", _("Social edges")
    TRIPLES = "triples", _("Knowledge triples")
    ITEM_LINKS = "item_links", _("Links from items to entities")


class PreviewState(models.TextChoices):
    """The life of a preview of a preparation."""

    QUEUED = "queued", _("Queued")
    READY = "ready", _("Ready")
    FAILED = "failed", _("Failed")


class SearchState(models.TextChoices):
    RUNNING = "running", _("Running")
    PAUSED = "paused", _("Paused")
    FINISHING = "finishing", _("Testing finalists")
    """The budget is spent; finalists are being retrained and tested."""
    FINISHED = "finished", _("Finished")
    STOPPED = "stopped", _("Stopped")
    """Ended by a person; nothing was tested."""
    FAILED = "failed", _("Failed")


ACTIVE_SEARCH_STATES = (SearchState.RUNNING, SearchState.FINISHING)
"""States in which the search still has work for the workers."""


class RunState(models.TextChoices):
    """The life of anything a worker runs: a trial, a baseline, a finalist run."""

    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    WAITING = "waiting", _("Waiting at a rung")
    """Scored at a rung and saved there: a place on the next rung may open. Trials only."""
    COMPLETED = "completed", _("Completed")
    FAILED = "failed", _("Failed")
    STOPPED = "stopped", _("Stopped")


IN_FLIGHT_RUN_STATES = (RunState.QUEUED, RunState.RUNNING)
ENDED_RUN_STATES = (RunState.COMPLETED, RunState.FAILED, RunState.STOPPED)


class ModelState(models.TextChoices):
    """The life of a version of a model."""

    BUILDING = "building", _("Building")
    READY = "ready", _("Ready")
    PROMOTED = "promoted", _("Promoted")
    """The one of its model that is served."""
    ARCHIVED = "archived", _("Archived")
    FAILED = "failed", _("Failed")
    """Its build ended without a model; the message says why."""


class TrainedOn(models.TextChoices):
    """The data of a version of a model; the values are those of ``gnn.bundle.document.TrainedOn``."""

    TRAIN = "train", _("Training part, as searched")
    ALL = "all", _("All data")


class BatchState(models.TextChoices):
    """The life of a file with the best items of all users."""

    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    READY = "ready", _("Ready")
    FAILED = "failed", _("Failed")


class BatchFormat(models.TextChoices):
    CSV = "csv", _("CSV")
    PARQUET = "parquet", _("Parquet")


class ArmName(models.TextChoices):
    """Who proposed a trial; arms share the space, the protocol and the workers, and learn nothing from each other."""

    CONTROLLER = "controller", _("Controller")
    RANDOM = "random", _("Random search")
    MANUAL = "manual", _("By hand")


class Ending(models.TextChoices):
    """Why a completed trial trained no further."""

    PATIENCE = "patience", _("Stopped improving")
    EPOCHS = "epochs", _("All epochs trained")
    MEDIAN = "median", _("Below the median of the others")
    RUNG = "rung", _("Not promoted from its rung")
    BUDGET = "budget", _("The search's budget was spent")
    FAILED_LATER = "failed_later", _("Failed on the next rung")
    """What it had reached on the rung before counts."""


CUT_SHORT = (Ending.MEDIAN, Ending.BUDGET)
"""The search ended the training before its rung's end."""


class Failure(models.TextChoices):
    """Why a run failed; each kind has its own reward."""

    OUT_OF_MEMORY = "out_of_memory", _("Out of memory")
    DIVERGED = "diverged", _("Diverged")
    TIME_LIMIT = "time_limit", _("Took too long")
    ERROR = "error", _("Unexpected error")
    LOST = "lost", _("Worker lost too often")


class SubjectKind(models.TextChoices):
    """What an event of the audit trail is about."""

    DATASET = "dataset", _("Dataset")
    SPACE = "space", _("Space")
    SEARCH = "search", _("Search")
    MODEL = "model", _("Model")
    WORKER = "worker", _("Worker")
    TOKEN = "token", _("API token")


class AuditVerb(models.TextChoices):
    """What was done; the label says it of somebody."""

    UPLOAD = "upload", _("uploaded")
    READ = "read", _("had it read")
    CANCEL = "cancel", _("cancelled the reading of")
    VERSION = "version", _("began a new version of")
    CREATE = "create", _("made")
    CHANGE = "change", _("changed")
    DELETE = "delete", _("deleted")
    START = "start", _("started")
    PAUSE = "pause", _("paused")
    RESUME = "resume", _("resumed")
    STOP = "stop", _("stopped")
    FINISH = "finish", _("ended early")
    EXTEND = "extend", _("extended")
    ENQUEUE = "enqueue", _("had an architecture trained in")
    REGISTER = "register", _("registered a version of")
    IMPORT = "import", _("imported a version of")
    PROMOTE = "promote", _("promoted a version of")
    ROLL_BACK = "roll_back", _("rolled back")
    ARCHIVE = "archive", _("archived")
    UNARCHIVE = "unarchive", _("took out of the archive")
    NOTE = "note", _("wrote a note on")
    TAG = "tag", _("tagged")
    DRAIN = "drain", _("drained")
    UNDRAIN = "undrain", _("let work again")
    REVOKE = "revoke", _("revoked")


class Scope(models.TextChoices):
    """What a token lets a program do; none includes another."""

    READ = "read", _("Read everything the pages show")
    WRITE = "write", _("Upload, start, change and delete")
    RECOMMEND = "recommend", _("Ask models for recommendations")
    FEEDBACK = "feedback", _("Tell what became of recommendations")


class FeedbackKind(models.TextChoices):
    """What became of a recommended item."""

    IMPRESSION = "impression", _("Impression")
    """It was shown."""
    CLICK = "click", _("Click")
    PURCHASE = "purchase", _("Purchase")
