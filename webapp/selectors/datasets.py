from __future__ import annotations

from typing import Any

from django.core.files.storage import default_storage
from django.core.paginator import Page, Paginator
from django.db.models import Count, F, QuerySet

from gnn.interactions import Interactions
from webapp.enums import DatasetState
from webapp.models import Dataset
from webapp.selectors.annotations import annotated

PAGE_LENGTH = 25


def datasets_listed(*, text: str = "") -> QuerySet[Any]:
    """Datasets, newest first, with owner, counts and number of searches."""
    counts = {name: F(f"profile__{name}") for name in ("users", "items", "interactions")}
    datasets = Dataset.objects.select_related("owner").defer("profile", "mapping").order_by("-id")
    datasets = datasets.annotate(n_searches=Count("searches"), **counts)
    if text:
        datasets = datasets.filter(name__icontains=text)
    return datasets


def datasets_ready() -> QuerySet[Dataset]:
    """Datasets that a search may begin with, newest first."""
    return Dataset.objects.filter(state=DatasetState.READY, archived_at=None).order_by("-id")


def datasets_page(*, text: str = "", page: Any = 1, tag: str = "", archived: bool = False) -> Page[Any]:
    """A page of ``datasets_listed``; any ``page`` asked for gives an existing one."""
    return Paginator(annotated(datasets_listed(text=text), tag=tag, archived=archived), PAGE_LENGTH).get_page(page)


def dataset_interactions(dataset: Dataset) -> Interactions:
    """All interactions of a READY dataset."""
    with default_storage.open(dataset.data_blob) as file:
        return Interactions.from_parquet(file)
