from __future__ import annotations

from dataclasses import dataclass

from webapp.enums import ACTIVE_SEARCH_STATES, SearchState
from webapp.models import Dataset, Search, Trial

SHOWN = 20
"""Searches that are named one by one."""


@dataclass(frozen=True)
class Dependents:
    """What goes when a dataset is deleted."""

    searches: list[Search]
    """The newest, at most ``SHOWN``."""
    n_searches: int
    n_trials: int
    n_running: int
    """Searches that still work, or may go on: they keep the dataset."""
    n_files: int
    later: list[Dataset]
    """Versions made from it, which stay: they have files of their own."""


def dataset_dependents(dataset: Dataset) -> Dependents:
    searches = Search.objects.filter(dataset=dataset).order_by("-id")
    return Dependents(
        searches=list(searches[:SHOWN]),
        n_searches=searches.count(),
        n_trials=Trial.objects.filter(search__dataset=dataset).count(),
        n_running=searches.filter(state__in=(*ACTIVE_SEARCH_STATES, SearchState.PAUSED)).count(),
        n_files=dataset.files.count(),
        later=list(dataset.next_versions.order_by("id")[:SHOWN]),
    )
