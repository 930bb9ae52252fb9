"""Freeing blobs: they are content-addressed, so that rows may share one, and the last to let go frees it.

Whoever locks rows of several kinds in one transaction does so in this order, so that no two wait for each other: the
search, its runs by primary key, the blobs by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

from django.apps import apps
from django.core.files.storage import default_storage
from django.db import models, transaction

from webapp.models import Blob


def blob_names(rows: models.QuerySet[models.Model]) -> set[str]:
    """The blobs that rows refer to."""
    fields = _blob_fields(rows.model)
    return set(chain.from_iterable(rows.values_list(*fields))) - {""} if fields else set()


def blobs_release(names: Iterable[str]) -> None:
    """Delete those of the blobs ``names`` that no row refers to any more; call it after the rows let go, in their transaction."""
    with transaction.atomic():
        for name in sorted(set(names) - {""}):
            # Whoever stores the same content now waits here, or has been waited for and is counted.
            list(Blob.objects.select_for_update().filter(name=name).values_list("pk"))
            if not _is_used(name):
                default_storage.delete(name)


def blobs_let_go(rows: models.QuerySet[Any], field: str) -> None:
    """Empty the column ``field`` of rows, and free what it named; call it in the transaction that ends them."""
    blobs_let_go_all([(rows, field)])


def blobs_let_go_all(columns: Iterable[tuple[models.QuerySet[Any], str]]) -> None:
    """The same for several columns at once: all rows let go before the first blob is locked."""
    names: list[str] = []
    for rows, field in columns:
        kept = rows.exclude(**{field: ""})
        if held := list(kept.values_list(field, flat=True)):
            kept.update(**{field: ""})
            names += held
    blobs_release(names)


def _is_used(name: str) -> bool:
    return any(
        model._default_manager.filter(**{field: name}).exists()
        for model in apps.get_app_config("webapp").get_models()
        for field in _blob_fields(model)
    )


def _blob_fields(model: type[models.Model]) -> list[str]:
    """By convention: every text column whose name ends in ``_blob`` names a blob."""
    return [field.name for field in model._meta.get_fields() if isinstance(field, models.CharField) and field.name.endswith("_blob")]
