"""The page between an upload and a dataset: how the file is understood, what becomes of the rows."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from gnn.errors import DataError
from gnn.preparation import Preparation
from gnn.sources import Detected, Mapping
from gnn.sources.joins import unclear_joins
from webapp.enums import DatasetState
from webapp.forms.dataset_mapping import FormatForm, RolesForm
from webapp.forms.preparation import PreparationForm
from webapp.models import Dataset, PreparationPreview
from webapp.selectors.dataset_files import file_detected
from webapp.selectors.mapping_templates import template_for
from webapp.services.datasets import dataset_confirm
from webapp.services.errors import Conflict
from webapp.services.mapping_templates import template_remember
from webapp.services.previews import preview_ask
from webapp.views.formats import chosen_format

EDITABLE_STATES = (DatasetState.UPLOADED, DatasetState.INVALID)


@require_http_methods(["GET", "HEAD", "POST"])
def mapping(request: HttpRequest, dataset_id: int) -> HttpResponse:
    """Show how the file is understood; GET parameters change the format, POST confirms the columns or asks for a preview."""
    dataset = get_object_or_404(Dataset, pk=dataset_id)
    posted = request.POST if request.method == "POST" else None
    if dataset.state not in EDITABLE_STATES and posted is None:
        return redirect("dataset", dataset.pk)
    asked = posted or request.GET
    given = FormatForm(asked) if "source" in asked else None
    context: dict[str, Any] = {"dataset": dataset, "format": given, "files": dataset.files.all()}
    if given is not None and not given.is_valid():
        return render(request, "datasets/mapping.html", context, status=422)
    owner = cast(User, request.user)
    before = Mapping.from_json(dataset.mapping) if dataset.mapping else None
    try:
        detected = file_detected(dataset.source_blob, dataset.filename, **chosen_format(given, before))
    except (DataError, FileNotFoundError) as problem:
        context |= {"error": str(problem), "format": given or FormatForm()}
        return render(request, "datasets/mapping.html", context, status=422 if posted is not None else 200)
    chosen = before if before is not None and FormatForm.values(before) == FormatForm.values(detected) else None
    if chosen is None and request.GET.get("template") != "no" and (known := template_for(owner=owner, shape=detected.shape)):
        chosen, context["template_filename"] = known
    roles = RolesForm(posted, detected=detected, chosen=chosen)
    preparation = PreparationForm(posted, initial=PreparationForm.values(Preparation.from_json(dataset.preparation)))
    if posted is not None and roles.is_valid() & preparation.is_valid():
        assert roles.mapping is not None and preparation.preparation is not None
        if posted.get("action") != "preview":
            return _confirm(request, dataset, detected, roles.mapping, preparation.preparation)
        context["preview"] = _preview(request, dataset, roles.mapping, preparation.preparation)
    so_far = roles.mapping or chosen
    columns = so_far.columns if so_far is not None else {role: guess.column for role, guess in detected.guesses.items()}
    context |= {
        "detected": detected,
        "unclear_joins": unclear_joins(detected, columns, [file.kind for file in context["files"]]),
        "roles": roles,
        "preparation": preparation,
        "prepares": preparation.is_bound or bool(dataset.preparation),
        "format": given or FormatForm(initial=FormatForm.values(detected)),
    }
    wrong = posted is not None and not (roles.is_valid() and preparation.is_valid())
    return render(request, "datasets/mapping.html", context, status=422 if wrong else 200)


@require_safe
def preparation_preview(request: HttpRequest, dataset_id: int) -> HttpResponse:
    """The counts of the last preview, for the page that waits for them."""
    preview = get_object_or_404(PreparationPreview, dataset=dataset_id)
    return render(request, "datasets/preview.html", {"preview": preview, "dataset": preview.dataset})


def _preview(request: HttpRequest, dataset: Dataset, chosen: Mapping, preparation: Preparation) -> PreparationPreview | None:
    try:
        return preview_ask(dataset_id=dataset.pk, mapping=chosen, preparation=preparation)
    except Conflict as conflict:
        messages.error(request, str(conflict))
        return None


def _confirm(request: HttpRequest, dataset: Dataset, detected: Detected, chosen: Mapping, preparation: Preparation) -> HttpResponse:
    if (unread := dataset.files.filter(mapping={}).first()) is not None:
        messages.error(request, _("Say first how the columns of %(filename)s are read.") % {"filename": unread.filename})
        return redirect("dataset_file", dataset.pk, unread.pk)
    try:
        dataset_confirm(dataset_id=dataset.pk, mapping=chosen, preparation=preparation)
    except Conflict as conflict:
        messages.error(request, str(conflict))
    else:
        template_remember(owner=cast(User, request.user), shape=detected.shape, mapping=chosen, filename=dataset.filename)
    return redirect("dataset", dataset.pk)
