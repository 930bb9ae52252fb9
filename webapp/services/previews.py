"""What a preparation would leave, counted by a worker on the whole file before anything is confirmed."""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction

from gnn.errors import DataError
from gnn.interactions import concatenate
from gnn.preparation import Preparation, prepare
from gnn.sources import Mapping
from gnn.sources.panics import panics_told
from webapp.enums import DatasetState, FileKind, PreviewState
from webapp.models import Dataset, DatasetFile, PreparationPreview
from webapp.queue import PREVIEW_PREPARATION, enqueue_on_commit
from webapp.services.errors import Conflict
from webapp.services.ingestion import interactions_read

logger = logging.getLogger(__name__)


def preview_ask(*, dataset_id: int, mapping: Mapping, preparation: Preparation) -> PreparationPreview:
    """Have the effect of ``preparation`` counted; asked again for the same, give what is known.

    Raises:
        Dataset.DoesNotExist: there is no such dataset.
        Conflict: the dataset is being read or READY.
    """
    wanted = {"mapping": mapping.to_json(), "preparation": preparation.to_json()}
    with transaction.atomic():
        dataset = Dataset.objects.select_for_update().get(pk=dataset_id)
        if dataset.state not in (DatasetState.UPLOADED, DatasetState.INVALID):
            raise Conflict(f"Dataset “{dataset.name}” is already being read.")
        known = PreparationPreview.objects.filter(dataset=dataset, **wanted, state=PreviewState.READY).first()
        if known is not None:
            return known
        fresh = wanted | {"state": PreviewState.QUEUED, "steps": [], "rejected": 0, "message": ""}
        preview, _ = PreparationPreview.objects.update_or_create(dataset=dataset, defaults=fresh)
        enqueue_on_commit(PREVIEW_PREPARATION, dataset_id)
    return preview


def preview_compute(*, dataset_id: int) -> None:
    """Count what was asked for last; does nothing when that is done or no longer wanted."""
    preview = PreparationPreview.objects.select_related("dataset").filter(dataset=dataset_id, state=PreviewState.QUEUED).first()
    if preview is None:
        return
    same = PreparationPreview.objects.filter(
        dataset=dataset_id, state=PreviewState.QUEUED, mapping=preview.mapping, preparation=preview.preparation
    )
    try:
        steps, rejected = _counts(preview.dataset, Mapping.from_json(preview.mapping), Preparation.from_json(preview.preparation))
    except (DataError, FileNotFoundError) as error:
        same.update(state=PreviewState.FAILED, message=str(error))
    except MemoryError:
        same.update(state=PreviewState.FAILED, message="The file does not fit the memory of the worker.")
    except Exception:
        logger.exception("The preparation of dataset %s could not be previewed.", dataset_id)
        same.update(state=PreviewState.FAILED, message="An unexpected error occurred; the worker's log has it.")
        raise
    else:
        same.update(state=PreviewState.READY, steps=steps, rejected=rejected)


def _counts(dataset: Dataset, mapping: Mapping, preparation: Preparation) -> tuple[list[dict[str, Any]], int]:
    """Counts after each step over all files of interactions, and the number of rejected rows."""
    files: list[tuple[Dataset | DatasetFile, Mapping]] = [(dataset, mapping)]
    files += [(file, Mapping.from_json(file.mapping)) for file in dataset.files.filter(kind=FileKind.INTERACTIONS)]
    with panics_told(dataset.filename):
        tables, rejects = zip(*(interactions_read(row, how) for row, how in files), strict=True)
        prepared = prepare(concatenate(tables), preparation)
    return [step.to_json() for step in prepared.steps], sum(some.total for some in rejects)
