from __future__ import annotations

from django.conf import settings
from django.db import models

from webapp.models.annotations import Annotated


class Space(Annotated):
    """A saved search space: a name, and the versions of what it holds."""

    name = models.CharField(max_length=200, unique=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="spaces")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class SpaceVersion(models.Model):
    """What a saved space held from one save to the next, written as ``gnn.space.SearchSpace`` JSON; immutable."""

    space = models.ForeignKey(Space, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    """Counted from 1; the highest is the one that lists and forms offer."""
    document = models.JSONField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["space", "number"], name="space_version_number")]
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"version {self.number} of space {self.space_id}"
