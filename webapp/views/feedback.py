"""What came back about a model's recommendations, and the next version of its dataset made from it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from webapp.forms.experiments import FeedbackDatasetForm
from webapp.models import Model
from webapp.selectors.feedback import feedback_dataset, feedback_datasets, feedback_summary
from webapp.services.errors import Conflict
from webapp.services.feedback_datasets import feedback_dataset_make
from webapp.snippets import curl_for_feedback, python_feedback


@require_http_methods(["GET", "HEAD", "POST"])
def feedback_page(request: HttpRequest, name: str) -> HttpResponse:
    model = get_object_or_404(Model, name=name)
    form = FeedbackDatasetForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            dataset = feedback_dataset_make(
                owner=request.user if request.user.is_authenticated else None,
                model_id=model.pk,
                kinds=form.cleaned_data["kinds"],
                weight=form.cleaned_data["weight"],
            )
        except Conflict as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Version %(number)s of the dataset is being read.") % {"number": dataset.version})
            return redirect("dataset", dataset.pk)
    address = request.build_absolute_uri(reverse("api:feedback_send", args=[name]))
    context = {
        "model": model,
        "form": form,
        "summary": feedback_summary(model),
        "dataset": feedback_dataset(model),
        "datasets": feedback_datasets(model),
        "snippets": [(_("With curl"), curl_for_feedback(address)), (_("In Python"), python_feedback(address))],
    }
    return render(request, "models/feedback.html", context)
