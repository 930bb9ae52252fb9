from __future__ import annotations

from django.db import models

from webapp.enums import ArmName, Ending, RunState
from webapp.models.runs import LeasedRun
from webapp.models.searches import Search


class Trial(LeasedRun):
    """One architecture trained and scored once inside a search."""

    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="trials")
    number = models.PositiveIntegerField()
    arm = models.CharField(max_length=16, choices=ArmName.choices, default=ArmName.CONTROLLER)
    rung = models.PositiveSmallIntegerField(default=0)
    """The rung it trains up to, or waits at, counted from 0."""
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
    slices = models.JSONField(default=dict)
    """``gnn.slices.Slices`` of the scores; empty for trials judged on several folds, and for those of before they were kept."""
    reward = models.FloatField(null=True)
    """Of its newest rung."""
    told_order = models.PositiveIntegerField(null=True)
    """Position of its newest outcome among all that were told, from 1; the cursor of live pages. None while a new one is due."""
    ending = models.CharField(max_length=16, choices=Ending.choices, blank=True)
    latency_ms = models.FloatField(null=True)
    """Median time to rank the catalogue for one user, on the worker that trained it."""
    same_as = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="repeats")
    """The trial of another arm that had trained this architecture already; its results are shared."""
    inherited_from = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="heirs")
    """The trial whose embeddings it started from."""
    checkpoint_blob = models.CharField(max_length=64, blank=True)
    """Where to resume after a pause, a lost worker or a promotion."""
    embeddings_blob = models.CharField(max_length=64, blank=True)
    """Node embeddings that later trials may start from; kept for the best trial of each size alone."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["search", "number"], name="trial_number"),
            models.UniqueConstraint(fields=["search", "arm", "key"], name="trial_key"),
            models.UniqueConstraint(fields=["search", "told_order"], name="trial_told_order"),
        ]
        indexes = [
            models.Index(fields=["search", "state"], name="trial_state"),
            models.Index(fields=["search"], condition=models.Q(told_order=None), name="trial_untold"),
            # The workers page asks what each worker does and did lately, over all searches.
            models.Index(fields=["worker"], condition=models.Q(state=RunState.RUNNING), name="trial_running"),
            models.Index(fields=["finished_at"], name="trial_finished"),
            # A key is looked up by its first characters.
            models.Index(fields=["key"], opclasses=["varchar_pattern_ops"], name="trial_key_prefix"),
            # Whoever frees a blob asks for who else has it; few rows have one.
            models.Index(fields=["checkpoint_blob"], condition=~models.Q(checkpoint_blob=""), name="trial_checkpoint"),
            models.Index(fields=["embeddings_blob"], condition=~models.Q(embeddings_blob=""), name="trial_embeddings"),
        ]

    def __str__(self) -> str:
        return f"trial {self.number} of search {self.search_id}"


class TrialRung(models.Model):
    """What a trial had reached at the end of a rung."""

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="rungs")
    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="+")
    arm = models.CharField(max_length=16, choices=ArmName.choices)
    rung = models.PositiveSmallIntegerField()
    epochs = models.PositiveIntegerField()
    seconds = models.FloatField()
    """Of training, from the start of the trial."""
    reward = models.FloatField()
    worker = models.CharField(max_length=200, blank=True)
    ended_at = models.DateTimeField(null=True)
    """None for rungs of before it was written down."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trial", "rung"], name="trial_rung")]
        indexes = [models.Index(fields=["search", "arm", "rung", "-reward"], name="trial_rung_reward")]

    def __str__(self) -> str:
        return f"rung {self.rung} of trial {self.trial_id}"


class TrialEpoch(models.Model):
    """One point of a trial's learning curve."""

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="curve")
    epoch = models.PositiveIntegerField()
    loss = models.FloatField()
    best = models.FloatField(null=True)
    """Best value of the search's metric up to this epoch."""
    scores = models.JSONField()
    seconds = models.FloatField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trial", "epoch"], name="trial_epoch")]

    def __str__(self) -> str:
        return f"epoch {self.epoch} of trial {self.trial_id}"
