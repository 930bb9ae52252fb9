"""The list of models, and the bundle of another installation that becomes one of them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from gnn.errors import BundleError
from webapp.forms.models import BundleForm
from webapp.models import Model, ModelVersion
from webapp.selectors.models import model_rows, models_page
from webapp.services.errors import Conflict
from webapp.services.models import model_import
from webapp.uploads import too_large
from webapp.views.listing import list_filter
from webapp.views.paging import page_numbers, search_text


@require_http_methods(["GET", "HEAD", "POST"])
def model_list(request: HttpRequest) -> HttpResponse:
    """List the models; a POST imports a bundle."""
    form, status = BundleForm(), 200
    if request.method == "POST":
        form, status = BundleForm(request.POST, request.FILES), 422
        if too_large(request):
            form.errors["file"] = form.error_class(
                [_("The file is larger than %(limit)s MB, the limit of this server.") % {"limit": f"{settings.RECSMITH_UPLOAD_LIMIT_MB:,}"}]
            )
            status = 413
        elif form.is_valid() and (version := _imported(request, form)) is not None:
            name = version.model.name
            messages.success(request, _("The bundle is version %(number)s of %(name)s.") % {"number": version.number, "name": name})
            return redirect("model_version", name, version.number)
        form.fields["file"].widget.attrs["autofocus"] = True  # where the browser scrolls to
    text = search_text(request)
    narrowed = list_filter(request, Model)
    page = models_page(text=text, page=request.GET.get("page", 1), tag=narrowed.tag, archived=narrowed.archived)
    context: dict[str, Any] = {
        "page": page,
        "rows": model_rows(list(page)),
        "page_numbers": page_numbers(page),
        "q": text,
        "filter": narrowed,
    }
    return render(request, "models/list.html", context | {"form": form, "limit_mb": settings.RECSMITH_UPLOAD_LIMIT_MB}, status=status)


def _imported(request: HttpRequest, form: BundleForm) -> ModelVersion | None:
    """The version that a bundle became; None with the reason on the form."""
    try:
        return model_import(
            owner=request.user if request.user.is_authenticated else None,
            file=form.cleaned_data["file"].file,
            name=form.cleaned_data["name"],
        )
    except BundleError as error:
        form.add_error("file", str(error))
    except Conflict as error:
        form.add_error("name", str(error))
    return None
