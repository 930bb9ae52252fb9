"""Taking things back: a reading that goes on too long, a dataset with what depends on it."""

from __future__ import annotations

from django.db import transaction
from django.db.models import ProtectedError

from webapp.enums import ACTIVE_SEARCH_STATES, AuditVerb, DatasetState, SearchState
from webapp.models import Blob, Dataset, DatasetFile, ModelBuild, Search, Trial, Upload
from webapp.services.audit import event_record
from webapp.services.blob_release import blob_names, blobs_release
from webapp.services.errors import Conflict


def dataset_cancel(*, dataset_id: int) -> Dataset:
    """Stop reading a dataset and go back to its columns; the worker sees that within seconds, and stores nothing.

    Raises:
        Dataset.DoesNotExist: there is no such dataset.
        Conflict: it became READY or INVALID in the meantime.
    """
    with transaction.atomic():
        stopped = Dataset.objects.filter(pk=dataset_id, state=DatasetState.INGESTING).update(state=DatasetState.UPLOADED, rows_read=None)
        dataset = Dataset.objects.get(pk=dataset_id)
        if stopped:
            event_record(AuditVerb.CANCEL, dataset)
    if not stopped and dataset.state != DatasetState.UPLOADED:
        raise Conflict(f"Dataset “{dataset.name}” was already read to the end.")
    return dataset


def dataset_delete(*, dataset_id: int, with_searches: bool = False) -> None:
    """Delete a dataset in any state with its files, and free their blobs; one that is gone already stays so.

    Raises:
        Conflict: a search still works on it, or ended searches use it and ``with_searches`` does not say to delete them too.
    """
    with transaction.atomic():
        dataset = Dataset.objects.select_for_update().filter(pk=dataset_id).first()
        if dataset is None:
            return
        searches = Search.objects.select_for_update().filter(dataset=dataset)
        states = list(searches.values_list("state", flat=True))
        if any(state in (*ACTIVE_SEARCH_STATES, SearchState.PAUSED) for state in states):
            raise Conflict(f"A search is still working on “{dataset.name}”. Stop it first.")
        if states and not with_searches:
            raise Conflict(f"{len(states)} search(es) use “{dataset.name}”. They can only be deleted together.")
        names = blob_names(Dataset.objects.filter(pk=dataset.pk)) | blob_names(DatasetFile.objects.filter(dataset=dataset))
        names |= blob_names(Trial.objects.filter(search__dataset=dataset)) | blob_names(Search.objects.filter(dataset=dataset))
        names |= blob_names(ModelBuild.objects.filter(search__dataset=dataset))
        unfinished = list(Upload.objects.filter(dataset=dataset, blob__isnull=False).values_list("blob_id", flat=True))
        Upload.objects.filter(dataset=dataset).delete()
        Blob.objects.filter(pk__in=unfinished).delete()
        event_record(AuditVerb.DELETE, dataset, searches=len(states))
        try:
            searches.delete()
            dataset.delete()
        except ProtectedError as error:
            kept = ", ".join(sorted(str(row) for row in error.protected_objects)[:5])
            raise Conflict(f"“{dataset.name}” is still used by {kept}. Delete that first.") from error
        blobs_release(names)
