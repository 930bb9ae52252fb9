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
    host = models.CharField(max_length=200, default="")
    memory_bytes = models.PositiveBigIntegerField(null=True)
    """Of the host."""
    free_bytes = models.PositiveBigIntegerField(null=True)
    """Of that memory, when it was last heard of."""
    used_bytes = models.PositiveBigIntegerField(null=True)
    """Resident memory of the worker with its task processes."""
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True)
    """When it shut down cleanly; one that was killed fades by its ``seen_at``."""
    drain = models.BooleanField(default=False)
    """It is asked to finish what it does and take nothing more; it reads this with every report."""

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
