from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from webapp.enums import Failure, RunState
from webapp.models.searches import Search


class LeasedRun(models.Model):
    """Work that exactly one worker may own at a time.

    A worker claims it by a conditional UPDATE that raises ``attempt`` and sets a lease, renews the lease
    while it works, and writes only where ``attempt`` is still its own (a fencing token).
    """

    state = models.CharField(max_length=16, choices=RunState.choices, default=RunState.QUEUED)
    attempt = models.PositiveIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True)
    losses = models.PositiveIntegerField(default=0)
    """How many times its worker went silent."""
    enqueued_at = models.DateTimeField(db_default=Now())
    worker = models.CharField(max_length=200, blank=True)
    failure = models.CharField(max_length=16, choices=Failure.choices, blank=True)
    message = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    train_seconds = models.FloatField(null=True)

    class Meta:
        abstract = True


class Baseline(LeasedRun):
    """A non-searched reference on the same split."""

    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="baselines")
    name = models.CharField(max_length=32)
    valid_scores = models.JSONField(default=dict)
    test_scores = models.JSONField(default=dict)
    test_users = models.BinaryField(null=True)
    """The search's metric for each test user, little-endian float32 in the order of user codes."""
    valid_slices = models.JSONField(default=dict)
    """``gnn.slices.Slices`` of the validation scores; empty for runs of before they were kept."""
    test_slices = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["search", "name"], name="baseline_name")]

    def __str__(self) -> str:
        return f"{self.name} of search {self.search_id}"


class FinalistRun(LeasedRun):
    """One seed of a finalist: a trial's architecture retrained and scored once on test."""

    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="finalist_runs")
    trial = models.ForeignKey("webapp.Trial", on_delete=models.CASCADE, related_name="finalist_runs")
    seed = models.PositiveBigIntegerField()
    epochs = models.PositiveIntegerField(default=0)
    best_epoch = models.PositiveIntegerField(null=True)
    """The epoch that was tested; None for runs of before it was written down."""
    checkpoint_blob = models.CharField(max_length=64, blank=True)
    """Where to resume after a pause or a lost worker."""
    valid_scores = models.JSONField(default=dict)
    test_scores = models.JSONField(default=dict)
    test_users = models.BinaryField(null=True)
    """The search's metric for each test user, little-endian float32 in the order of user codes."""
    test_slices = models.JSONField(default=dict)
    """``gnn.slices.Slices`` of the test scores; empty for runs of before they were kept."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trial", "seed"], name="finalist_seed")]
        indexes = [models.Index(fields=["checkpoint_blob"], condition=~models.Q(checkpoint_blob=""), name="finalist_checkpoint")]

    def __str__(self) -> str:
        return f"seed {self.seed} of trial {self.trial_id}"
