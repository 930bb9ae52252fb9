from __future__ import annotations

from django.db import models

from webapp.models.runs import LeasedRun
from webapp.models.searches import Search


class Trial(LeasedRun):
    """One architecture trained and scored once inside a search."""

    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="trials")
    number = models.PositiveIntegerField()
    architecture = models.JSONField()
    key = models.CharField(max_length=16)
    behaviour = models.JSONField(default=dict)
    """What the controller wants back with the outcome, such as log-probabilities at the time of asking."""
    seed = models.PositiveBigIntegerField()
    parameters = models.PositiveBigIntegerField(null=True)
    epochs = models.PositiveIntegerField(default=0)
    best_epoch = models.PositiveIntegerField(null=True)
    scores = models.JSONField(default=dict)
    """Validation metrics at the best epoch, e.g. ``{"ndcg@20": 0.28}``."""
    reward = models.FloatField(null=True)
    told_order = models.PositiveIntegerField(null=True)
    """Position in the sequence of outcomes the controller was told, from 1; also the cursor of live pages."""
    checkpoint_blob = models.CharField(max_length=64, blank=True)
    """Where to resume after a pause or a lost worker."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["search", "number"], name="trial_number"),
            models.UniqueConstraint(fields=["search", "key"], name="trial_key"),
            models.UniqueConstraint(fields=["search", "told_order"], name="trial_told_order"),
        ]
        indexes = [models.Index(fields=["search", "state"], name="trial_state")]

    def __str__(self) -> str:
        return f"trial {self.number} of search {self.search_id}"


class TrialEpoch(models.Model):
    """One point of a trial's learning curve."""

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="curve")
    epoch = models.PositiveIntegerField()
    loss = models.FloatField()
    scores = models.JSONField()
    seconds = models.FloatField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trial", "epoch"], name="trial_epoch")]

    def __str__(self) -> str:
        return f"epoch {self.epoch} of trial {self.trial_id}"
