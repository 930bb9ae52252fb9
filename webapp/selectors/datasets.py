from __future__ import annotations

from typing import Any

from django.core.files.storage import default_storage
from django.core.paginator import Page, Paginator
from django.db.models import Count, F

from gnn.interactions import Interactions
from webapp.models import Dataset

PAGE_LENGTH = 25


def datasets_page(*, text: str = "", page: Any = 1) -> Page[Any]:
    """Datasets, newest first, with owner, counts and number of searches; any ``page`` asked for gives an existing one."""
    counts = {name: F(f"profile__{name}") for name in ("users", "items", "interactions")}
    datasets = Dataset.objects.select_related("owner").defer("profile", "mapping").order_by("-id")
    datasets = datasets.annotate(n_searches=Count("searches"), **counts)
    if text:
        datasets = datasets.filter(name__icontains=text)
    return Paginator(datasets, PAGE_LENGTH).get_page(page)


def dataset_interactions(dataset: Dataset) -> Interactions:
    """All interactions of a READY dataset."""
    with default_storage.open(dataset.data_blob) as file:
        return Interactions.from_parquet(file)
