from __future__ import annotations

from django.conf import settings
from django.db import models

from webapp.enums import SearchState
from webapp.models.datasets import Dataset


class Search(models.Model):
    """A dataset, a frozen space, a protocol, a controller, a budget and a seed."""

    name = models.CharField(max_length=200)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="searches")
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="searches")
    space = models.JSONField()
    protocol = models.JSONField()
    controller = models.CharField(max_length=32)
    planned_trials = models.PositiveIntegerField()
    workers = models.PositiveIntegerField(default=1)
    """How many trials may be in flight at once."""
    seed = models.PositiveBigIntegerField()
    start_token = models.UUIDField(unique=True)
    """Made with the form; a second press of Start finds the first one's search."""
    state = models.CharField(max_length=16, choices=SearchState.choices, default=SearchState.RUNNING)
    message = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    advanced_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["state"], name="search_state")]

    def __str__(self) -> str:
        return self.name


class ControllerState(models.Model):
    """What the controller has learned, packed by ``searchworker.checkpoint``; beside Search so that lists stay light."""

    search = models.OneToOneField(Search, on_delete=models.CASCADE, primary_key=True, related_name="controller_state")
    data = models.BinaryField()
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"controller of search {self.search_id}"
