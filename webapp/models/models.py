from __future__ import annotations

from django.conf import settings
from django.db import models

from webapp.enums import ModelState, TrainedOn
from webapp.models.annotations import Annotated
from webapp.models.runs import LeasedRun
from webapp.models.searches import Search
from webapp.models.trials import Trial


class Model(Annotated):
    """A name under which finalists are registered for export and serving: versions, at most one of them promoted."""

    name = models.SlugField(max_length=60, unique=True)
    """Part of addresses."""
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="recommenders")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ModelVersion(models.Model):
    """One trained model; its bundle and document hold everything, so that it outlives its search."""

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="model_versions")
    search = models.ForeignKey(Search, null=True, on_delete=models.SET_NULL, related_name="model_versions")
    """Where it was found; None when it was imported or the search is gone."""
    trial_number = models.PositiveIntegerField(null=True)
    state = models.CharField(max_length=16, choices=ModelState.choices, default=ModelState.BUILDING)
    """A build that failed leaves it BUILDING: ``webapp.selectors.models`` tells."""
    document = models.JSONField(default=dict)
    """A ``gnn.bundle.document.ModelDocument``, once it is built."""
    bundle_blob = models.CharField(max_length=64, blank=True)
    """The bundle as a zip file."""
    digest = models.CharField(max_length=64, blank=True)
    """Of the bundle's content."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["model", "number"], name="model_version_number"),
            models.UniqueConstraint(fields=["model"], condition=models.Q(state="promoted"), name="model_one_promoted"),
        ]

    def __str__(self) -> str:
        return f"version {self.number} of {self.model}"


class ModelBuild(LeasedRun):
    """Training a finalist's architecture once more, for a version of a model."""

    version = models.OneToOneField(ModelVersion, on_delete=models.CASCADE, related_name="build")
    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="model_builds")
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="model_builds")
    trained_on = models.CharField(max_length=8, choices=TrainedOn.choices)
    seed = models.PositiveBigIntegerField()
    planned_epochs = models.PositiveIntegerField(null=True)
    """Chosen by validation before, where nothing is left to validate on; None where validation ends the training."""
    epochs = models.PositiveIntegerField(default=0)
    checkpoint_blob = models.CharField(max_length=64, blank=True)
    """Where to resume after a lost worker."""

    class Meta:
        indexes = [models.Index(fields=["checkpoint_blob"], condition=~models.Q(checkpoint_blob=""), name="build_checkpoint")]

    def __str__(self) -> str:
        return f"build of model version {self.version_id}"


class Promotion(models.Model):
    """That a version became the promoted one; rolling back undoes the newest that is not undone."""

    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="promotions")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="promotions")
    """Who promoted it."""
    created_at = models.DateTimeField(auto_now_add=True)
    undone_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"promotion of {self.version}"
