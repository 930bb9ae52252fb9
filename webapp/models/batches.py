from __future__ import annotations

from django.conf import settings
from django.db import models

from webapp.enums import BatchFormat, BatchState
from webapp.models.models import ModelVersion


class Batch(models.Model):
    """The best items of every user of a version of a model, as one file."""

    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="batches")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="batches")
    k = models.PositiveIntegerField()
    exclude_seen = models.BooleanField()
    format = models.CharField(max_length=8, choices=BatchFormat.choices)
    state = models.CharField(max_length=16, choices=BatchState.choices, default=BatchState.QUEUED)
    attempts = models.PositiveIntegerField(default=0)
    """How many times a worker began it."""
    users_done = models.PositiveIntegerField(default=0)
    rows = models.PositiveBigIntegerField(null=True)
    result_blob = models.CharField(max_length=64, blank=True)
    message = models.TextField(blank=True)
    """Why there is no file, when FAILED."""
    seconds = models.FloatField(null=True)
    """From the worker's start to the stored file."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "batches"
        constraints = [models.UniqueConstraint(fields=["version", "k", "exclude_seen", "format"], name="batch_asked")]

    def __str__(self) -> str:
        return f"top {self.k} of {self.version}"
