from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from webapp.models import Dataset
from webapp.selectors.dataset_dependents import dataset_dependents
from webapp.services.dataset_removal import dataset_cancel, dataset_delete
from webapp.services.errors import Conflict


@require_http_methods(["GET", "HEAD", "POST"])
def dataset_remove(request: HttpRequest, dataset_id: int) -> HttpResponse:
    """Name what depends on a dataset, then delete it."""
    if request.method == "POST":
        dataset = Dataset.objects.only("name").filter(pk=dataset_id).first()
        if dataset is None:
            return redirect("datasets")  # a second press, or somebody was faster
        try:
            dataset_delete(dataset_id=dataset_id, with_searches=request.POST.get("with_searches") == "yes")
        except Conflict as conflict:
            messages.error(request, str(conflict))
            return redirect("dataset_delete", dataset_id)
        messages.success(request, _("Dataset “%(name)s” is deleted.") % {"name": dataset.name})
        return redirect("datasets")
    dataset = get_object_or_404(Dataset, pk=dataset_id)
    return render(request, "datasets/delete.html", {"dataset": dataset, "dependents": dataset_dependents(dataset)})


@require_POST
def dataset_stop(request: HttpRequest, dataset_id: int) -> HttpResponse:
    get_object_or_404(Dataset, pk=dataset_id)
    try:
        dataset_cancel(dataset_id=dataset_id)
    except Conflict as conflict:
        messages.info(request, str(conflict))
        return redirect("dataset", dataset_id)
    messages.info(request, _("Cancelled. Nothing of the reading was kept; the file is still here."))
    return redirect("dataset_mapping", dataset_id)
