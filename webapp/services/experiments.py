"""A/B tests between two versions of a model."""

from __future__ import annotations

import secrets

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from webapp.enums import AuditVerb, ModelState
from webapp.models import Experiment, Model, ModelVersion
from webapp.services.audit import event_record
from webapp.services.errors import Conflict
from webapp.services.models import model_promote


@transaction.atomic
def experiment_start(*, owner: User | None, model_id: int, number: int, percent: int) -> Experiment:
    """Serve version ``number`` to ``percent`` of the users of a model, and the promoted one to all others, from now on.

    Raises:
        Model.DoesNotExist, ModelVersion.DoesNotExist: there is no such row.
        Conflict: an experiment runs, no version is promoted, or this one is promoted or not built.
    """
    model = Model.objects.select_for_update().get(pk=model_id)
    if Experiment.objects.filter(model=model, ended_at=None).exists():
        raise Conflict(f"An experiment of {model} runs already. Stop it first.")
    control = ModelVersion.objects.filter(model=model, state=ModelState.PROMOTED).first()
    if control is None:
        raise Conflict(f"No version of {model} is promoted. Promote the one to compare with first.")
    treatment = ModelVersion.objects.get(model=model, number=number)
    if treatment == control:
        raise Conflict(f"Version {number} of {model} is the promoted one. Choose another one to compare with it.")
    if not treatment.bundle_blob:
        raise Conflict(f"Version {number} of {model} is not built, so it cannot be served.")
    if not 1 <= percent <= 99:
        raise Conflict(f"From 1 to 99 percent of the users may get the other version, but not {percent}.")
    experiment = Experiment.objects.create(
        model=model, owner=owner, control=control, treatment=treatment, percent=percent, salt=secrets.token_hex(16)
    )
    event_record(AuditVerb.START, model, experiment=experiment.pk, version=number, percent=percent)
    return experiment


@transaction.atomic
def experiment_stop(*, owner: User | None, experiment_id: int, promote: int | None = None) -> Experiment:
    """Serve one version to everybody again: the one with the number ``promote``, or else the one promoted before; ended, it stays so.

    Raises:
        Experiment.DoesNotExist: there is no such experiment.
        Conflict: ``promote`` is neither of its versions.
    """
    experiment = Experiment.objects.select_related("model", "control", "treatment").get(pk=experiment_id)
    Model.objects.select_for_update().get(pk=experiment.model_id)
    versions = {version.number: version for version in (experiment.control, experiment.treatment)}
    if promote is not None and promote not in versions:
        raise Conflict(f"The experiment compares versions {' and '.join(map(str, sorted(versions)))}, and not {promote}.")
    if Experiment.objects.filter(pk=experiment_id, ended_at=None).update(ended_at=Now()):
        event_record(AuditVerb.STOP, experiment.model, experiment=experiment.pk)
    if promote is not None:
        model_promote(owner=owner, version_id=versions[promote].pk)
    experiment.refresh_from_db(fields=["ended_at"])
    return experiment
