"""Experiments: who gets which version, and what came of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from gnn.proportions import Difference, Proportion, sample_ratio_p_value
from webapp.enums import FeedbackKind, ModelState
from webapp.models import Experiment, FeedbackEvent, Model, ModelVersion, Promotion

SHOWN = 20
UNEVEN = 0.001
"""A division of users that chance makes less often than this is taken for a fault."""
_BUCKETS = 10_000


def in_treatment(salt: str, percent: int, user: str) -> bool:
    """Whether a user gets the treatment: a hash decides, so that it is always the same and needs no memory."""
    found = int.from_bytes(hashlib.sha256(f"{salt}:{user}".encode()).digest()[:8])
    return found % _BUCKETS < percent * _BUCKETS // 100


def experiments_running() -> list[Experiment]:
    """What the scoring process divides users by; the treatment comes without its document, with the dataset it was searched on."""
    running = Experiment.objects.filter(ended_at=None, control__state=ModelState.PROMOTED).defer("treatment__document")
    return list(running.select_related("model", "treatment__model", "treatment__search__dataset").order_by("id"))


def experiments_of(model: Model) -> QuerySet[Experiment]:
    """Newest first."""
    versions = ("control__model", "treatment__model", "owner")
    rows = Experiment.objects.filter(model=model).select_related("model", *versions)
    return rows.defer("control__document", "treatment__document").order_by("-id")


def challengers(model: Model) -> list[ModelVersion]:
    """Versions that could be compared with the promoted one, newest first."""
    built = ModelVersion.objects.filter(model=model).exclude(bundle_blob="").exclude(state=ModelState.PROMOTED)
    return list(built.defer("document").order_by("-number")[:100])


class Serving:
    """Which version of a model a user was served at a time not long ago."""

    def __init__(self, model: Model, since: datetime) -> None:
        promoted = Promotion.objects.filter(version__model=model).order_by("-id")
        self._promotions = list(promoted.values_list("version", "created_at", "undone_at")[:1000])
        recent = Experiment.objects.filter(Q(ended_at=None) | Q(ended_at__gt=since), model=model)
        self._experiments = list(recent.order_by("-id")[:1000])

    def version_id(self, user: str, at: datetime) -> int | None:
        for each in self._experiments:
            if each.started_at <= at and (each.ended_at is None or at < each.ended_at):
                return each.treatment_id if in_treatment(each.salt, each.percent, user) else each.control_id
        for version, since, until in self._promotions:
            if since <= at and (until is None or at < until):
                return version
        # Before the first promotion nothing was served: the sender's clock is behind.
        return self._promotions[-1][0] if self._promotions else None


@dataclass(frozen=True)
class ArmResult:
    """What users of one version did between the start and the end."""

    version: ModelVersion
    impressions: int
    clicks: int
    purchases: int
    users: int
    """Who saw at least one item."""
    clicked: Proportion
    """Of them, those who clicked."""
    purchased: Proportion

    @property
    def clicks_per_impression(self) -> float | None:
        return self.clicks / self.impressions if self.impressions else None


@dataclass(frozen=True)
class Rate:
    """One share of users, in both arms."""

    kind: FeedbackKind
    control: Proportion
    treatment: Proportion

    @property
    def shares(self) -> tuple[Proportion, Proportion]:
        return self.control, self.treatment

    @property
    def difference(self) -> Difference | None:
        """Treatment minus control."""
        return Difference.of(self.treatment, self.control)


@dataclass(frozen=True)
class ExperimentResult:
    experiment: Experiment
    control: ArmResult
    treatment: ArmResult

    @property
    def rates(self) -> list[Rate]:
        return [
            Rate(FeedbackKind.CLICK, self.control.clicked, self.treatment.clicked),
            Rate(FeedbackKind.PURCHASE, self.control.purchased, self.treatment.purchased),
        ]

    @property
    def arms(self) -> tuple[ArmResult, ArmResult]:
        return self.control, self.treatment

    @property
    def uneven(self) -> bool:
        """Whether users were not divided as planned, so that something other than the versions may make the difference."""
        share = self.experiment.percent / 100
        return sample_ratio_p_value(self.treatment.users, self.control.users, share=share) < UNEVEN


def experiment_result(experiment: Experiment) -> ExperimentResult:
    """By four queries, whatever the number of events."""
    return ExperimentResult(experiment, *(_arm(experiment, version) for version in (experiment.control, experiment.treatment)))


def _arm(experiment: Experiment, version: ModelVersion) -> ArmResult:
    events = FeedbackEvent.objects.filter(version=version, at__gte=experiment.started_at)
    if experiment.ended_at is not None:
        events = events.filter(at__lt=experiment.ended_at)
    counts = {kind.value: Count("id", filter=Q(kind=kind)) for kind in FeedbackKind}
    by_user = events.order_by().values("user").annotate(**{f"n_{name}": count for name, count in counts.items()})
    saw = Q(n_impression__gt=0)
    found = by_user.aggregate(
        users=Count("user", filter=saw),
        clicked=Count("user", filter=saw & Q(n_click__gt=0)),
        purchased=Count("user", filter=saw & Q(n_purchase__gt=0)),
    )
    total = events.aggregate(**counts)
    users = found["users"]
    return ArmResult(
        version=version,
        impressions=total["impression"],
        clicks=total["click"],
        purchases=total["purchase"],
        users=users,
        clicked=Proportion(found["clicked"], users),
        purchased=Proportion(found["purchased"], users),
    )
