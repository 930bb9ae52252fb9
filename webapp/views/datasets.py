from __future__ import annotations

from pathlib import PurePath
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from gnn.errors import DataError
from webapp.charts.datasets import dataset_figures
from webapp.enums import DatasetState
from webapp.forms.datasets import UploadForm
from webapp.models import Dataset, DatasetFile
from webapp.selectors.dataset_attributes import dataset_described, numbers_words
from webapp.selectors.datasets import datasets_page
from webapp.selectors.profile_changes import profile_changes
from webapp.selectors.uploads import uploads_unfinished
from webapp.services.datasets import dataset_upload
from webapp.uploads import too_large
from webapp.views.listing import list_filter
from webapp.views.paging import page_numbers, search_text


@require_safe
def dataset_list(request: HttpRequest) -> HttpResponse:
    text = search_text(request)
    narrowed = list_filter(request, Dataset)
    page = datasets_page(text=text, page=request.GET.get("page", 1), tag=narrowed.tag, archived=narrowed.archived)
    return render(request, "datasets/list.html", {"page": page, "q": text, "page_numbers": page_numbers(page), "filter": narrowed})


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    """Take a file from a browser without scripts; upload.js sends it in chunks instead (``webapp.views.uploads``)."""
    form, status = UploadForm(), 200
    if request.method == "POST":
        form, status = UploadForm(request.POST, request.FILES), 422
        if too_large(request):
            form.errors["file"] = form.error_class(
                [f"The file is larger than {settings.RECSMITH_UPLOAD_LIMIT_MB:,} MB, the limit of this server."]
            )
            status = 413
        elif form.is_valid():
            file = form.cleaned_data["file"]
            try:
                dataset = dataset_upload(owner=_user(request), name=form.cleaned_data["name"], filename=file.name, file=file)
            except DataError as error:
                form.add_error("file", str(error))
            else:
                return redirect("dataset_mapping", dataset.pk)
    context = {"form": form, "limit_mb": settings.RECSMITH_UPLOAD_LIMIT_MB, "unfinished": uploads_unfinished(_user(request))}
    return render(request, "datasets/upload.html", context, status=status)


@require_safe
def dataset_page(request: HttpRequest, dataset_id: int) -> HttpResponse:
    dataset = get_object_or_404(Dataset.objects.select_related("owner", "previous"), pk=dataset_id)
    if request.headers.get("HX-Request"):
        # The page asks while the dataset is read, and starts over once there is something else to show.
        if dataset.state == DatasetState.INGESTING:
            return HttpResponse(status=204)
        return HttpResponse(headers={"HX-Refresh": "true"})
    context: dict[str, Any] = {"dataset": dataset, "profile": dataset.profile}
    if dataset.state == DatasetState.READY:
        previous = dataset.previous
        compared = previous is not None and previous.state == DatasetState.READY
        context |= {
            "figures": dataset_figures(dataset.profile),
            "described": (described := dataset_described(dataset)),
            "numbers": numbers_words(described),
            "files": dataset.files.all(),
            "versions": dataset.next_versions.order_by("id"),
            "changes": profile_changes(previous.profile, dataset.profile) if previous is not None and compared else [],
        }
    return render(request, "datasets/detail.html", context)


@require_safe
def rejects(request: HttpRequest, dataset_id: int) -> FileResponse:
    """The rejected rows of the dataset's first file, or of the further one that ``file`` names, as CSV; sent as it is read."""
    row: Dataset | DatasetFile = get_object_or_404(Dataset, pk=dataset_id)
    if (number := request.GET.get("file", "")) and number.isdecimal():
        row = get_object_or_404(DatasetFile, pk=int(number[:18]), dataset=dataset_id)
    if not row.rejects_blob or not default_storage.exists(row.rejects_blob):
        raise Http404
    name = f"{PurePath(row.filename).name.split('.')[0] or 'dataset'}-rejected-rows.csv"
    return FileResponse(default_storage.open(row.rejects_blob), as_attachment=True, filename=name, content_type="text/csv; charset=utf-8")


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)  # the middleware lets nobody else in
