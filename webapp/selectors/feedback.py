"""What came back about a model's recommendations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Q

from webapp.enums import DatasetState, FeedbackKind
from webapp.models import Dataset, FeedbackEvent, Model, ModelVersion

INTERACTION_KINDS = (FeedbackKind.CLICK, FeedbackKind.PURCHASE)
"""What can be learned from as an interaction; that something was shown says nothing of whether it was liked."""


@dataclass(frozen=True)
class KindCount:
    kind: FeedbackKind
    total: int
    waiting: int
    """Not in any version of the dataset."""


@dataclass(frozen=True)
class FeedbackSummary:
    kinds: list[KindCount]
    unknown_users: int
    """Events of users whom the version promoted on arrival did not know."""
    unknown_items: int
    unchecked: int
    """Events that came while the scoring process could not be asked."""
    last_received: datetime | None

    @property
    def total(self) -> int:
        return sum(each.total for each in self.kinds)

    @property
    def waiting(self) -> int:
        """That could become interactions."""
        return sum(each.waiting for each in self.kinds if each.kind in INTERACTION_KINDS)


def feedback_summary(model: Model) -> FeedbackSummary:
    """In one query."""
    counts = {f"n_{kind.value}": Count("id", filter=Q(kind=kind)) for kind in FeedbackKind}
    waiting = {f"w_{kind.value}": Count("id", filter=Q(kind=kind, dataset=None)) for kind in FeedbackKind}
    found = FeedbackEvent.objects.filter(model=model).aggregate(
        **counts,
        **waiting,
        unknown_users=Count("id", filter=Q(known_user=False)),
        unknown_items=Count("id", filter=Q(known_item=False)),
        unchecked=Count("id", filter=Q(known_user=None)),
        last=Max("received_at"),
    )
    return FeedbackSummary(
        kinds=[KindCount(kind, found[f"n_{kind.value}"], found[f"w_{kind.value}"]) for kind in FeedbackKind],
        unknown_users=found["unknown_users"],
        unknown_items=found["unknown_items"],
        unchecked=found["unchecked"],
        last_received=found["last"],
    )


def feedback_dataset(model: Model) -> Dataset | None:
    """The newest READY version of the dataset that a model's newest version with a search was searched on."""
    searched = ModelVersion.objects.filter(model=model, search__isnull=False).select_related("search__dataset").defer("document")
    version = searched.order_by("-number").first()
    if version is None or version.search is None:
        return None
    dataset = version.search.dataset
    while (following := dataset.next_versions.filter(state=DatasetState.READY).order_by("-id").first()) is not None:
        dataset = following
    return dataset if dataset.state == DatasetState.READY else None


def feedback_datasets(model: Model) -> list[Dataset]:
    """Versions of datasets that took events of a model up, newest first, each with ``n_events``."""
    taken = Dataset.objects.filter(feedback__model=model).annotate(n_events=Count("feedback")).defer("profile", "mapping")
    return list(taken.order_by("-id")[:20])
