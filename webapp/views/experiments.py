"""A/B tests between two versions of a model: starting, results, stopping."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webapp.charts.experiments import rate_labels, rates_figure
from webapp.forms.experiments import ExperimentForm
from webapp.models import Model
from webapp.selectors.experiments import SHOWN, challengers, experiment_result, experiments_of
from webapp.selectors.models import promoted_version
from webapp.services.errors import Conflict
from webapp.services.experiments import experiment_start, experiment_stop


@require_http_methods(["GET", "HEAD", "POST"])
def experiment_list(request: HttpRequest, name: str) -> HttpResponse:
    model = get_object_or_404(Model, name=name)
    versions = challengers(model)
    form = ExperimentForm(versions, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            experiment = experiment_start(
                owner=request.user if request.user.is_authenticated else None,
                model_id=model.pk,
                number=form.cleaned_data["version"],
                percent=form.cleaned_data["percent"],
            )
        except Conflict as error:
            form.add_error(None, str(error))
        else:
            return redirect("model_experiment", name, experiment.pk)
    rows = list(experiments_of(model)[:SHOWN])
    running = next((row for row in rows if row.ended_at is None), None)
    promoted = promoted_version(name)
    context = {"model": model, "form": form, "rows": rows, "running": running, "promoted": promoted, "versions": versions}
    return render(request, "models/experiments.html", context)


@require_safe
def experiment_page(request: HttpRequest, name: str, experiment_id: int) -> HttpResponse:
    model = get_object_or_404(Model, name=name)
    experiment = get_object_or_404(experiments_of(model), pk=experiment_id)
    result = experiment_result(experiment)
    labels = rate_labels()
    rates = [(labels[rate.kind], rate) for rate in result.rates]
    context = {"model": model, "experiment": experiment, "result": result, "rates": rates, "figure": rates_figure(result)}
    return render(request, "models/experiment.html", context)


@require_POST
def experiment_end(request: HttpRequest, name: str, experiment_id: int) -> HttpResponse:
    """Stop it; ``promote`` is the number of the version to promote, or empty."""
    experiment = get_object_or_404(experiments_of(get_object_or_404(Model, name=name)), pk=experiment_id)
    promote = request.POST.get("promote", "")
    if promote not in ("", str(experiment.control.number), str(experiment.treatment.number)):
        messages.warning(request, _("The experiment goes on: it does not compare a version %(number)s.") % {"number": promote[:20]})
        return redirect("model_experiment", name, experiment_id)
    try:
        experiment_stop(
            owner=request.user if request.user.is_authenticated else None,
            experiment_id=experiment.pk,
            promote=int(promote) if promote else None,
        )
    except Conflict as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, _("The experiment has ended."))
    return redirect("model_experiment", name, experiment_id)
