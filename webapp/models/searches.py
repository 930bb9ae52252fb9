from __future__ import annotations

from django.conf import settings
from django.db import models

from webapp.enums import ArmName, SearchState
from webapp.models.annotations import Annotated
from webapp.models.datasets import Dataset
from webapp.models.spaces import SpaceVersion


class Search(Annotated):
    """A dataset, a frozen space, a protocol, a controller, a budget and a seed."""

    name = models.CharField(max_length=200)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="searches")
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="searches")
    space = models.JSONField()
    space_version = models.ForeignKey(SpaceVersion, null=True, on_delete=models.SET_NULL, related_name="searches")
    """The saved space that ``space`` was taken from, where it was."""
    protocol = models.JSONField()
    controller = models.CharField(max_length=32)
    planned_trials = models.PositiveIntegerField()
    workers = models.PositiveIntegerField(default=1)
    """How many trials may be in flight at once."""
    plan = models.JSONField()
    """A ``gnn.plan.SearchPlan``; only its budget may change after the start."""
    seed = models.PositiveBigIntegerField()
    start_token = models.UUIDField(unique=True)
    """Made with the form; a second press of Start finds the first one's search."""
    state = models.CharField(max_length=16, choices=SearchState.choices, default=SearchState.RUNNING)
    message = models.TextField(blank=True)
    spent = models.TextField(blank=True)
    """Why nothing more is proposed; running trials end at their next epoch when a budget other than the trials is spent."""
    comparisons = models.JSONField(default=list)
    """Paired comparisons on test, of the best finalist with what stands beside it and of every finalist with the best baseline."""
    learned_from = models.JSONField(default=list)
    """Ids of the earlier searches whose good architectures its controller began from."""
    importance = models.JSONField(default=dict)
    """Which decisions mattered: method -> decision -> share."""
    importance_trials = models.PositiveIntegerField(null=True)
    """Of how many trials ``importance`` speaks; None for searches of before it was written down."""
    importance_note = models.TextField(blank=True)
    """Why there is none, once a worker has looked."""
    importance_asked_at = models.DateTimeField(null=True)
    """Since when a person waits for a worker to measure it."""
    text_key = models.CharField(max_length=64, blank=True)
    """Of the texts and the language model (``gnn.text_features.content_key``), once a worker has read them."""
    text_blob = models.CharField(max_length=64, blank=True)
    """The features of the items that it made of them."""
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    advanced_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["state"], name="search_state"),
            models.Index(fields=["text_key"], condition=~models.Q(text_key=""), name="search_text_key"),
        ]

    def __str__(self) -> str:
        return self.name


class Arm(models.Model):
    """One proposer of a search with what it has learned and spent; beside Search so that lists stay light."""

    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="arms")
    name = models.CharField(max_length=16, choices=ArmName.choices)
    state = models.BinaryField(null=True)
    """The part of its controller's state that has no name, packed by ``searchworker.checkpoint``; None before the first round."""
    proposed = models.PositiveIntegerField(default=0)
    told = models.PositiveIntegerField(default=0)
    epochs = models.PositiveBigIntegerField(default=0)
    """Trained by the trials told so far."""
    seconds = models.FloatField(default=0.0)
    """Training time of the trials told so far."""
    best_reward = models.FloatField(null=True)
    stale = models.PositiveIntegerField(default=0)
    """Trials told since ``best_reward``."""
    exhausted = models.BooleanField(default=False)
    """It has proposed every architecture it may."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["search", "name"], name="arm_name")]

    def __str__(self) -> str:
        return f"{self.name} arm of search {self.search_id}"


class ArmPart(models.Model):
    """A part of the controller's state of an arm; a round writes those that it changed."""

    arm = models.ForeignKey(Arm, on_delete=models.CASCADE, related_name="parts")
    name = models.CharField(max_length=64)
    content = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["arm", "name"], name="arm_part_name")]

    def __str__(self) -> str:
        return f"{self.name} of the {self.arm}"


class ControllerReport(models.Model):
    """What the controller believed after it had been told ``told`` outcomes."""

    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="controller_reports")
    told = models.PositiveIntegerField()
    diagnostics = models.JSONField()
    """Health of its latest update, such as the mean entropy of a decision in nats."""
    marginals = models.JSONField()
    """Decision -> probability of each of its choices, in the order of the space."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["search", "told"], name="controller_report_told")]
        ordering = ["told"]

    def __str__(self) -> str:
        return f"controller of search {self.search_id} after {self.told} outcomes"
