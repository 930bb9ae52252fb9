from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from gnn.errors import DataError
from gnn.sources import Mapping
from webapp.charts.datasets import dataset_figures
from webapp.enums import DatasetState
from webapp.forms.datasets import FormatForm, RolesForm, UploadForm
from webapp.models import Dataset
from webapp.selectors.datasets import dataset_detected, datasets_page
from webapp.services.datasets import dataset_confirm, dataset_upload
from webapp.services.errors import Conflict
from webapp.uploads import FORM_BYTES, upload_limit_bytes
from webapp.views.paging import page_numbers, search_text

EDITABLE_STATES = (DatasetState.UPLOADED, DatasetState.INVALID)


@require_safe
def dataset_list(request: HttpRequest) -> HttpResponse:
    text = search_text(request)
    page = datasets_page(text=text, page=request.GET.get("page", 1))
    return render(request, "datasets/list.html", {"page": page, "q": text, "page_numbers": page_numbers(page)})


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    """Take a file from a browser without scripts; upload.js sends it in chunks instead (``webapp.views.uploads``)."""
    form, status = UploadForm(), 200
    if request.method == "POST":
        form, status = UploadForm(request.POST, request.FILES), 422
        if int(request.META.get("CONTENT_LENGTH") or 0) > upload_limit_bytes() + FORM_BYTES:
            form.errors["file"] = form.error_class(
                [f"The file is larger than {settings.RECSMITH_UPLOAD_LIMIT_MB:,} MB, the limit of this server."]
            )
            status = 413
        elif form.is_valid():
            file = form.cleaned_data["file"]
            owner = request.user if request.user.is_authenticated else None
            try:
                dataset = dataset_upload(owner=owner, name=form.cleaned_data["name"], filename=file.name, file=file)
            except DataError as error:
                form.add_error("file", str(error))
            else:
                return redirect("dataset_mapping", dataset.pk)
    return render(request, "datasets/upload.html", {"form": form, "limit_mb": settings.RECSMITH_UPLOAD_LIMIT_MB}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def mapping(request: HttpRequest, dataset_id: int) -> HttpResponse:
    """Show how the file is understood; GET parameters change the format, POST confirms the columns."""
    dataset = get_object_or_404(Dataset, pk=dataset_id)
    posted = request.POST if request.method == "POST" else None
    if dataset.state not in EDITABLE_STATES and posted is None:
        return redirect("dataset", dataset.pk)
    before = Mapping.from_json(dataset.mapping) if dataset.mapping else None
    detected, error = None, ""
    asked = posted or request.GET
    given = FormatForm(asked) if "delimiter" in asked else None
    if given is not None and not given.is_valid():
        return render(request, "datasets/mapping.html", {"dataset": dataset, "format": given}, status=422)
    try:
        choices = given.choices() if given is not None else {}
        if given is None and before is not None:
            choices = {"delimiter": before.delimiter, "has_header": before.has_header, "encoding": before.encoding}
        detected = dataset_detected(dataset, **choices)
    except (DataError, FileNotFoundError) as problem:
        error = str(problem)
    roles = None
    if detected is not None:
        same_format = before is not None and FormatForm.values(before) == FormatForm.values(detected)
        roles = RolesForm(posted, detected=detected, chosen=before if same_format else None)
        if posted is not None and roles.is_valid() and roles.mapping is not None:
            return _confirm(request, dataset, roles.mapping)
    shown = given or FormatForm(initial=FormatForm.values(detected) if detected else None)
    context = {"dataset": dataset, "format": shown, "detected": detected, "roles": roles, "error": error}
    return render(request, "datasets/mapping.html", context, status=422 if posted is not None else 200)


@require_safe
def dataset_page(request: HttpRequest, dataset_id: int) -> HttpResponse:
    dataset = get_object_or_404(Dataset.objects.select_related("owner"), pk=dataset_id)
    if request.headers.get("HX-Request"):
        # The page asks while the dataset is read, and starts over once there is something else to show.
        if dataset.state == DatasetState.INGESTING:
            return HttpResponse(status=204)
        return HttpResponse(headers={"HX-Refresh": "true"})
    figures = dataset_figures(dataset.profile) if dataset.state == DatasetState.READY else []
    return render(request, "datasets/detail.html", {"dataset": dataset, "profile": dataset.profile, "figures": figures})


def _confirm(request: HttpRequest, dataset: Dataset, chosen: Mapping) -> HttpResponse:
    try:
        dataset_confirm(dataset_id=dataset.pk, mapping=chosen)
    except Conflict as conflict:
        messages.error(request, str(conflict))
    return redirect("dataset", dataset.pk)
