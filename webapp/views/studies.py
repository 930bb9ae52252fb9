"""Searches as files: the download of a study, and the import of one."""

from __future__ import annotations

import tempfile
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from gnn.errors import BundleError
from webapp.forms.studies import StudyForm
from webapp.models import Search
from webapp.services.studies import Imported, search_export, search_import
from webapp.uploads import too_large


@require_safe
def study_download(request: HttpRequest, search_id: int) -> FileResponse:
    search = get_object_or_404(Search, pk=search_id)
    file = tempfile.TemporaryFile()  # noqa: SIM115  the response closes it
    try:
        search_export(search_id=search.pk, file=file)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    name = f"{slugify(search.name)[:60] or 'search'}-{search.pk}-study.zip"
    return FileResponse(file, as_attachment=True, filename=name, content_type="application/zip")


@require_http_methods(["GET", "HEAD", "POST"])
def study_new(request: HttpRequest) -> HttpResponse:
    """Import a study: the page of the search, which says so where it lacks its data."""
    form, status = StudyForm(), 200
    if request.method == "POST":
        form, status = StudyForm(request.POST, request.FILES), 422
        if too_large(request):
            limit = f"{settings.RECSMITH_UPLOAD_LIMIT_MB:,}"
            form.errors["file"] = form.error_class(
                [_("The file is larger than %(limit)s MB, the limit of this server.") % {"limit": limit}]
            )
            status = 413
        elif form.is_valid() and (imported := _imported(request, form)) is not None:
            if imported.needs:
                messages.warning(request, imported.needs)
            else:
                messages.success(request, _("The study is this search."))
            return redirect("search", imported.search.pk)
    context: dict[str, Any] = {"form": form, "limit_mb": settings.RECSMITH_UPLOAD_LIMIT_MB}
    return render(request, "searches/import.html", context, status=status)


def _imported(request: HttpRequest, form: StudyForm) -> Imported | None:
    """What a study became; None with the reason on the form."""
    owner = request.user if request.user.is_authenticated else None
    try:
        return search_import(owner=owner, file=form.cleaned_data["file"].file)
    except BundleError as error:
        form.add_error("file", str(error))
    return None
