from __future__ import annotations

from django.conf import settings
from django.db import models

from webapp.enums import DatasetState, FileKind
from webapp.models.annotations import Annotated


class Dataset(Annotated):
    """An uploaded interaction table; immutable once READY."""

    name = models.CharField(max_length=200)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="datasets")
    state = models.CharField(max_length=16, choices=DatasetState.choices, default=DatasetState.UPLOADED)
    message = models.TextField(blank=True)
    """What is wrong and what to do, when INVALID."""
    filename = models.CharField(max_length=255)
    source_blob = models.CharField(max_length=64)
    """The file as uploaded."""
    mapping = models.JSONField(default=dict)
    """How the file is read: delimiter, header, and the column of each role (``gnn.sources``)."""
    preparation = models.JSONField(default=dict)
    """Which of the rows read are kept (``gnn.preparation``); empty means all of them."""
    data_blob = models.CharField(max_length=64, blank=True)
    """The interactions as Parquet, once READY."""
    rejects_blob = models.CharField(max_length=64, blank=True)
    """The rejected rows of the file as CSV, when there are any."""
    ingest_attempts = models.PositiveIntegerField(default=0)
    """How many times a worker began to read the file as mapped."""
    rows_read = models.PositiveBigIntegerField(null=True)
    """How far the worker has come, while INGESTING."""
    previous = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="next_versions")
    """The version this one was made from; its files are part of this one."""
    version = models.PositiveIntegerField(default=1)
    profile = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    ingested_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name


class DatasetFile(models.Model):
    """A further file of a dataset: another part of a predefined split, or a side table."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="files")
    kind = models.CharField(max_length=16, choices=FileKind)
    filename = models.CharField(max_length=255)
    source_blob = models.CharField(max_length=64)
    """The file as uploaded."""
    mapping = models.JSONField(default=dict)
    """How it is read (``gnn.sources.mapping`` or ``gnn.sources.side``, by kind)."""
    data_blob = models.CharField(max_length=64, blank=True)
    """A side table as Parquet, once its dataset is READY."""
    rejects_blob = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.filename
