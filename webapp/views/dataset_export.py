"""What a dataset holds, as a file for programs."""

from __future__ import annotations

from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from webapp.models import Dataset
from webapp.selectors.reproduce import DATA


@require_safe
def dataset_interactions(request: HttpRequest, dataset_id: int) -> FileResponse:
    """All interactions as read and prepared, in Parquet, as ``python -m gnn fit`` takes them."""
    dataset = get_object_or_404(Dataset.objects.only("data_blob", "name"), pk=dataset_id)
    if not dataset.data_blob:
        raise Http404(f"Dataset {dataset.name!r} was not read yet.")
    return FileResponse(default_storage.open(dataset.data_blob), as_attachment=True, filename=DATA)
