"""Models: their list, their versions, and what is done with a version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gnn.bundle.card import card
from gnn.bundle.document import Measured, ModelDocument
from gnn.bundle.texts import TEXT_FILES, architecture_texts
from gnn.catalogue import describe
from gnn.protocol import Protocol
from gnn.space import Architecture
from webapp.charts.architectures import draw_architecture
from webapp.enums import ModelState, TrainedOn
from webapp.forms.models import RegisterForm
from webapp.forms.searches import protocol_words
from webapp.models import Model, ModelVersion, Trial
from webapp.selectors.models import (
    VersionRow,
    before_promotion,
    registrable_runs,
    version_of,
    versions_of,
)
from webapp.selectors.trials import decision_rows
from webapp.services.errors import Conflict
from webapp.services.models import model_archive, model_promote, model_register, model_roll_back
from webapp.templatetags.display import mean_sd
from webapp.views.metric_table import metric_table

THIS = "This architecture"
"""Beside the baselines."""


@require_safe
def model_page(request: HttpRequest, name: str) -> HttpResponse:
    """The versions of a model side by side."""
    model = get_object_or_404(Model, name=name)
    rows = versions_of(model)
    metrics = sorted({row.document.metrics.objective for row in rows if row.document})
    judged = {(row.document.data.sha256, str(row.document.protocol)) for row in rows if row.document}
    context = {"model": model, "rows": rows, "metrics": metrics, "comparable": len(judged) < 2, "earlier": before_promotion(model)}
    return render(request, "models/detail.html", context)


@require_safe
def version_page(request: HttpRequest, name: str, number: int) -> HttpResponse:
    row = _row(name, number)
    if request.headers.get("HX-Request"):
        # The page asks while the version is built, and starts over once there is something else to show.
        return HttpResponse(status=204) if row.state == ModelState.BUILDING else HttpResponse(headers={"HX-Refresh": "true"})
    context: dict[str, Any] = {"row": row, "version": row.version, "model": row.version.model}
    if row.state == ModelState.PROMOTED:
        context["earlier"] = before_promotion(row.version.model)
    if row.document is not None:
        context |= _document_context(row.document)
    return render(request, "models/version.html", context)


@require_safe
def version_download(request: HttpRequest, name: str, number: int) -> FileResponse:
    """The bundle as it is stored."""
    version = _row(name, number).version
    if not version.bundle_blob:
        raise Http404(f"Version {number} of {name} is not built.")
    return FileResponse(
        default_storage.open(version.bundle_blob), as_attachment=True, filename=f"{name}-{number}.zip", content_type="application/zip"
    )


@require_safe
def version_text(request: HttpRequest, name: str, number: int, kind: str) -> HttpResponse:
    """The architecture as text for other libraries, as a file."""
    document = _row(name, number).document
    if document is None or kind not in TEXT_FILES:
        raise Http404(f"Version {number} of {name} is not built, or there is no such text.")
    return HttpResponse(
        architecture_texts(document)[kind],
        content_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{TEXT_FILES[kind]}"'},
    )


@require_POST
def version_promote(request: HttpRequest, name: str, number: int) -> HttpResponse:
    try:
        model_promote(owner=_user(request), version_id=_row(name, number).version.pk)
    except Conflict as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, f"Version {number} is promoted.")
    return redirect("model_version", name, number)


@require_POST
def version_archive(request: HttpRequest, name: str, number: int) -> HttpResponse:
    try:
        model_archive(version_id=_row(name, number).version.pk)
    except Conflict as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, f"Version {number} is archived. Promoting it takes it out again.")
    return redirect("model_version", name, number)


@require_POST
def roll_back(request: HttpRequest, name: str) -> HttpResponse:
    model = get_object_or_404(Model, name=name)
    try:
        version = model_roll_back(model_id=model.pk)
    except Conflict as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, f"Rolled back: version {version.number} is promoted again.")
    return redirect("model", name)


@require_http_methods(["GET", "HEAD", "POST"])
def register(request: HttpRequest, search_id: int, number: int) -> HttpResponse:
    """Register a finalist: choose its name and what it is trained on."""
    trial = get_object_or_404(Trial.objects.select_related("search__dataset"), search=search_id, number=number)
    form = RegisterForm(request.POST if request.method == "POST" else None, initial=RegisterForm.initial_of(trial.search))
    if request.method == "POST" and form.is_valid():
        try:
            version = model_register(
                owner=_user(request),
                name=form.cleaned_data["name"],
                trial_id=trial.pk,
                trained_on=TrainedOn(form.cleaned_data["trained_on"]),
            )
        except Conflict as error:
            form.add_error(None, str(error))
        else:
            return redirect("model_version", version.model.name, version.number)
    context = {
        "trial": trial,
        "search": trial.search,
        "form": form,
        "description": describe(Architecture.of(trial.architecture)),
        "seeds": len(registrable_runs(trial)),
    }
    return render(request, "models/register.html", context)


def _user(request: HttpRequest) -> Any:
    return request.user if request.user.is_authenticated else None


def _row(name: str, number: int) -> VersionRow:
    try:
        return version_of(name, number)
    except ModelVersion.DoesNotExist as error:
        raise Http404(f"There is no version {number} of a model {name!r}.") from error


def _document_context(document: ModelDocument) -> dict[str, Any]:
    """What a page shows of a model, from its document alone: an imported one looks the same."""
    architecture, protocol, metrics = Architecture.of(document.architecture), Protocol.from_json(document.protocol), document.metrics
    beside = [(THIS, metrics.scores), *sorted(metrics.baselines.items(), key=lambda item: -_mean(item[1].test, metrics.objective))]
    seeds = len(metrics.seeds)
    return {
        "document": document,
        "description": describe(architecture),
        "decisions": decision_rows(architecture),
        "drawing": draw_architecture(architecture),
        "protocol_words": protocol_words(protocol),
        "cutoffs": protocol.cutoffs,
        "test_table": _table(metrics.scores.test, protocol, seeds),
        "validation_table": _table(metrics.scores.validation, protocol, seeds),
        "beside": [
            (
                label,
                *(_text(part.get(metrics.objective), seeds if label == THIS else 1) for part in (scores.validation, scores.test)),
            )
            for label, scores in beside
        ],
        "card": card(document),
        "texts": architecture_texts(document),
    }


def _mean(scores: Mapping[str, Measured], metric: str) -> float:
    return scores[metric].mean if metric in scores else 0.0


def _text(measured: Measured | None, seeds: int) -> str:
    return mean_sd(None if measured is None else (measured.mean, measured.sd), seeds)


def _table(scores: Mapping[str, Measured], protocol: Protocol, seeds: int) -> list[tuple[str, list[tuple[str, str]]]]:
    """(metric, its (name, value) at each list length) for those that were measured."""
    return [(str(label), [(name, _text(measured, seeds)) for name, measured in cells]) for label, cells in metric_table(scores, protocol)]
