from __future__ import annotations

from django.db import models

from webapp.enums import PreviewState
from webapp.models.datasets import Dataset


class PreparationPreview(models.Model):
    """What a preparation would leave of a dataset: the last one asked for, computed by a worker."""

    dataset = models.OneToOneField(Dataset, on_delete=models.CASCADE, primary_key=True, related_name="preview")
    mapping = models.JSONField()
    preparation = models.JSONField()
    state = models.CharField(max_length=16, choices=PreviewState.choices, default=PreviewState.QUEUED)
    steps = models.JSONField(default=list)
    """Counts after each step (``gnn.preparation.Step``)."""
    rejected = models.PositiveBigIntegerField(default=0)
    message = models.TextField(blank=True)
    """Why there are no counts, when FAILED."""
    asked_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"preview of dataset {self.dataset_id}"
