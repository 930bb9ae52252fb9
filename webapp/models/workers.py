from __future__ import annotations

from django.db import models


class Worker(models.Model):
    """A worker process as last heard of."""

    name = models.CharField(max_length=200, unique=True)
    queues = models.JSONField(default=list)
    slots = models.PositiveIntegerField()
    """How many tasks it runs at once."""
    threads = models.PositiveIntegerField()
    """CPU threads of each task."""
    device = models.CharField(max_length=100)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
