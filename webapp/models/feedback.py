from __future__ import annotations

from django.conf import settings
from django.db import models

from webapp.enums import FeedbackKind
from webapp.models.datasets import Dataset
from webapp.models.models import Model, ModelVersion


class FeedbackEvent(models.Model):
    """What became of a recommendation, as a shop or site told it."""

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="feedback")
    key = models.CharField(max_length=100)
    """Chosen by the sender: the same event sent again is one event."""
    kind = models.CharField(max_length=16, choices=FeedbackKind.choices)
    user = models.CharField(max_length=1000)
    item = models.CharField(max_length=1000)
    at = models.DateTimeField()
    """When it happened, by the sender's clock."""
    received_at = models.DateTimeField(auto_now_add=True)
    version = models.ForeignKey(ModelVersion, null=True, on_delete=models.SET_NULL, related_name="feedback")
    """Which the user was served when it happened; None where none was."""
    known_user = models.BooleanField(null=True)
    known_item = models.BooleanField(null=True)
    """Whether the version promoted on arrival knew them; None where the scoring process could not be asked."""
    dataset = models.ForeignKey(Dataset, null=True, on_delete=models.SET_NULL, related_name="feedback")
    """The version of the dataset that took it up; None while it waits."""

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["model", "key"], name="feedback_once")]
        indexes = [
            models.Index(fields=["version", "at"], name="feedback_of_version"),
            models.Index(fields=["model", "kind"], condition=models.Q(dataset=None), name="feedback_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class Experiment(models.Model):
    """An A/B test of two versions of a model: some users get the treatment, all others the promoted version."""

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="experiments")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="experiments")
    control = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="experiments_as_control")
    treatment = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="experiments_as_treatment")
    percent = models.PositiveSmallIntegerField()
    """Of the users, those who get the treatment."""
    salt = models.CharField(max_length=32)
    """Hashed with a user's id, it decides who gets what: always the same one, and another one in another experiment."""
    started_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["model"], condition=models.Q(ended_at=None), name="experiment_one_running"),
            models.CheckConstraint(condition=models.Q(percent__gte=1, percent__lte=99), name="experiment_percent"),
        ]

    def __str__(self) -> str:
        return f"version {self.treatment_id} against {self.control_id}"
