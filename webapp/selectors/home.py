from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from webapp.enums import DatasetState, SearchState
from webapp.models import Dataset, Search
from webapp.queue import TRIALS_QUEUE
from webapp.selectors.searches import SearchRow, search_rows
from webapp.selectors.workers import workers_alive

LIST_LENGTH = 6


@dataclass(frozen=True)
class Home:
    """What the first page shows."""

    running: Sequence[SearchRow]
    recent: Sequence[SearchRow]
    datasets: Sequence[Dataset]
    has_ready_dataset: bool
    workers: int


def home_overview() -> Home:
    current = (SearchState.RUNNING, SearchState.FINISHING, SearchState.PAUSED)
    searches = Search.objects.select_related("dataset").defer("space").order_by("-id")
    datasets = list(Dataset.objects.defer("profile", "mapping").order_by("-id")[:LIST_LENGTH])
    return Home(
        running=search_rows(list(searches.filter(state__in=current)[:LIST_LENGTH])),
        recent=search_rows(list(searches.exclude(state__in=current)[:LIST_LENGTH])),
        datasets=datasets,
        has_ready_dataset=Dataset.objects.filter(state=DatasetState.READY).exists(),
        workers=workers_alive(queue=TRIALS_QUEUE).count(),
    )
