"""Further files of a dataset, and the new version that takes them up."""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from gnn.errors import DataError
from gnn.sources import Detected, Mapping
from gnn.sources.mapping import TableFormat
from gnn.sources.side import side_mapping
from webapp.enums import FileKind
from webapp.forms.dataset_mapping import FormatForm, RolesForm
from webapp.forms.side_tables import FileUploadForm, SideForm
from webapp.models import Dataset, DatasetFile
from webapp.selectors.dataset_files import file_detected
from webapp.selectors.uploads import uploads_unfinished
from webapp.services.dataset_files import OPEN_STATES, dataset_file_add, dataset_file_map, dataset_file_remove, dataset_version_start
from webapp.services.datasets import size_check
from webapp.services.errors import Conflict
from webapp.views.formats import chosen_format


@require_POST
def version_new(request: HttpRequest, dataset_id: int) -> HttpResponse:
    """Begin the next version; ``kind`` says which file to ask for first."""
    get_object_or_404(Dataset, pk=dataset_id)
    try:
        draft = dataset_version_start(owner=cast(User, request.user), dataset_id=dataset_id)
    except Conflict as conflict:
        messages.error(request, str(conflict))
        return redirect("dataset", dataset_id)
    if (kind := request.POST.get("kind", "")) in FileKind.values:
        return redirect(f"{_new_file_url(draft)}?kind={kind}")
    return redirect("dataset_mapping", draft.pk)


@require_http_methods(["GET", "HEAD", "POST"])
def file_new(request: HttpRequest, dataset_id: int) -> HttpResponse:
    """Take a further file from a browser without scripts; upload.js sends it in chunks instead (``webapp.views.uploads``)."""
    dataset = get_object_or_404(Dataset, pk=dataset_id)
    if dataset.state not in OPEN_STATES:
        messages.error(request, _("The files of a dataset change only before it is read. Make a new version."))
        return redirect("dataset", dataset.pk)
    form, status = FileUploadForm(initial={"kind": request.GET.get("kind", "")}), 200
    if request.method == "POST":
        form, status = FileUploadForm(request.POST, request.FILES), 422
        if form.is_valid():
            file = form.cleaned_data["file"]
            try:
                size_check(filename=file.name, size=file.size)
                dataset_file_add(dataset_id=dataset.pk, kind=FileKind(form.cleaned_data["kind"]), filename=file.name, file=file)
            except (DataError, Conflict) as error:
                form.add_error("file", str(error))
            else:
                return redirect("dataset_mapping", dataset.pk)
    context = {"form": form, "dataset": dataset, "limit_mb": settings.RECSMITH_UPLOAD_LIMIT_MB}
    context["unfinished"] = uploads_unfinished(cast(User, request.user))
    return render(request, "datasets/upload.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def file_mapping(request: HttpRequest, dataset_id: int, file_id: int) -> HttpResponse:
    """Say how a further file is read."""
    file = get_object_or_404(DatasetFile.objects.select_related("dataset"), pk=file_id, dataset=dataset_id)
    posted = request.POST if request.method == "POST" else None
    asked = posted or request.GET
    given = FormatForm(asked) if "source" in asked else None
    context: dict[str, Any] = {"dataset": file.dataset, "file": file, "format": given}
    if given is not None and not given.is_valid():
        return render(request, "datasets/file.html", context, status=422)
    before = _mapping_of(file)
    try:
        detected = file_detected(file.source_blob, file.filename, **chosen_format(given, before))
    except (DataError, FileNotFoundError) as problem:
        context |= {"error": str(problem), "format": given or FormatForm()}
        return render(request, "datasets/file.html", context, status=422 if posted is not None else 200)
    chosen = before if before is not None and FormatForm.values(before) == FormatForm.values(detected) else None
    form = _form(file, detected, chosen, posted)
    if form.is_valid() and form.mapping is not None:
        try:
            dataset_file_map(file_id=file.pk, mapping=form.mapping)
        except Conflict as conflict:
            messages.error(request, str(conflict))
            return redirect("dataset", file.dataset_id)
        return redirect("dataset_mapping", file.dataset_id)
    context |= {"detected": detected, "roles": form, "format": given or FormatForm(initial=FormatForm.values(detected))}
    return render(request, "datasets/file.html", context, status=422 if posted is not None else 200)


@require_POST
def file_remove(request: HttpRequest, dataset_id: int, file_id: int) -> HttpResponse:
    if DatasetFile.objects.filter(pk=file_id).exclude(dataset=dataset_id).exists():
        return redirect("dataset", dataset_id)
    try:
        dataset_file_remove(file_id=file_id)
    except Conflict as conflict:
        messages.error(request, str(conflict))
        return redirect("dataset", dataset_id)
    return redirect("dataset_mapping", dataset_id)


def _form(file: DatasetFile, detected: Detected, chosen: TableFormat | None, posted: object) -> RolesForm | SideForm:
    if file.kind == FileKind.INTERACTIONS:
        return RolesForm(posted, detected=detected, chosen=cast(Mapping | None, chosen))
    return SideForm(posted, kind=FileKind(file.kind), detected=detected, chosen=chosen)  # type: ignore[arg-type]


def _mapping_of(file: DatasetFile) -> TableFormat | None:
    """How the file is read so far; None when nothing was chosen or guessed."""
    if not file.mapping:
        return None
    return Mapping.from_json(file.mapping) if file.kind == FileKind.INTERACTIONS else side_mapping(file.mapping)


def _new_file_url(dataset: Dataset) -> str:
    return reverse("dataset_file_new", args=[dataset.pk])
