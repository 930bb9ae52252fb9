"""Which of the datasets are samples."""

from __future__ import annotations

from django.db.models import QuerySet

from webapp.models import Dataset

MOVIELENS_NAME, MOVIELENS_FILE = "MovieLens-100K", "interactions.tsv"
SHOP_NAME, SHOP_FILE = "A made-up shop", "made-up-shop.csv"


def samples(name: str, filename: str) -> QuerySet[Dataset]:
    """Datasets made as this sample, the first made first, but for later versions of them and those put away."""
    return Dataset.objects.filter(name=name, filename=filename, version=1, archived_at=None).order_by("id")
