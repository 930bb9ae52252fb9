from __future__ import annotations

from django.db import models


class Annotated(models.Model):
    """What people write beside a dataset, space, search or model; nothing of it changes what that is or does."""

    note = models.TextField(blank=True)
    note_version = models.PositiveIntegerField(default=0)
    """Counts the saves of the note, so that one of two tabs notices the other's."""
    tags = models.JSONField(default=list)
    """Lower-case words, sorted."""
    archived_at = models.DateTimeField(null=True)
    """Left out of lists since then, unless they are asked for what is archived."""

    class Meta:
        abstract = True
