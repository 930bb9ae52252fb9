"""The best items of all users of a version of a model: asking for the file, its progress, its download."""

from __future__ import annotations

from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from webapp.enums import BatchFormat
from webapp.forms.batches import BatchForm
from webapp.models import Batch, ModelVersion
from webapp.selectors.batches import batches_of
from webapp.services.batches import batch_ask
from webapp.services.errors import Conflict

CONTENT_TYPES = {BatchFormat.CSV: "text/csv; charset=utf-8", BatchFormat.PARQUET: "application/vnd.apache.parquet"}


@require_http_methods(["GET", "HEAD", "POST"])
def batches(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """The files of a version, as a page and as the part of it that is asked for again while a worker computes."""
    version = get_object_or_404(ModelVersion.objects.select_related("model").exclude(bundle_blob=""), model__name=name, number=number)
    form = BatchForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            batch_ask(
                owner=request.user if request.user.is_authenticated else None,
                version_id=version.pk,
                k=form.cleaned_data["k"],
                exclude_seen=form.cleaned_data["exclude_seen"],
                file_format=BatchFormat(form.cleaned_data["format"]),
            )
        except Conflict as error:
            form.add_error(None, str(error))
        else:
            return redirect("model_batches", name, number)
    rows = batches_of(version)
    context = {"version": version, "model": version.model, "form": form, "rows": rows, "open": any(row.is_open for row in rows)}
    return render(request, "models/batches_table.html" if request.headers.get("HX-Request") else "models/batches.html", context)


@require_safe
def batch_download(request: HttpRequest, name: str, number: int, batch_id: int) -> FileResponse:
    batch = get_object_or_404(Batch, pk=batch_id, version__model__name=name, version__number=number)
    if not batch.result_blob:
        raise Http404("That file is not there yet.")
    return FileResponse(
        default_storage.open(batch.result_blob),
        as_attachment=True,
        filename=f"{name}-{number}-top-{batch.k}{'' if batch.exclude_seen else '-with-seen'}.{batch.format}",
        content_type=CONTENT_TYPES[BatchFormat(batch.format)],
    )
