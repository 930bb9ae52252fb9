"""Registering finalists as versions of models, and deciding which version is served."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO, Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.core.validators import validate_slug
from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Now
from django.utils.text import slugify

from gnn.bundle import Bundle, load
from gnn.bundle.members import pack, unpack
from webapp.enums import AuditVerb, ModelState, RunState, SearchState, TrainedOn
from webapp.models import Experiment, Model, ModelBuild, ModelVersion, Promotion, Trial
from webapp.queue import BUILD_MODEL, enqueue_on_commit
from webapp.selectors.models import before_promotion, registrable_runs
from webapp.services.audit import event_record
from webapp.services.blob_release import blobs_release
from webapp.services.errors import Conflict
from webapp.services.runs import owned, run_complete

NAME_LENGTH = 60


@transaction.atomic
def model_register(*, owner: User | None, name: str, trial_id: int, trained_on: TrainedOn) -> ModelVersion:
    """A new version of the model ``name``, made when it is new, for a worker to build; one that is being built already is given again.

    The seed is the one that validation liked best. Where all data trains, nothing is left to say when to stop, so the number of
    epochs is the mean over seeds of the epoch that validation liked best.

    Raises:
        Trial.DoesNotExist: there is no such trial.
        Conflict: the trial is not a tested finalist of a finished search, or the name cannot be part of an address.
    """
    trial = Trial.objects.select_related("search").get(pk=trial_id)
    search = trial.search
    if search.state != SearchState.FINISHED:
        raise Conflict(f"Search '{search.name}' is {search.get_state_display().lower()}; finalists can be registered when it has finished.")
    runs = registrable_runs(trial)
    if not runs:
        raise Conflict(f"Trial {trial.number} was not tested as a finalist, so there is nothing to say of how good it is.")
    model = _model(owner, name)
    unfinished = ModelBuild.objects.filter(
        version__model=model, trial=trial, trained_on=trained_on, state__in=(RunState.QUEUED, RunState.RUNNING)
    )
    building = unfinished.select_related("version").first()
    if building is not None:
        return building.version
    version = _version(model, owner, search=search, trial_number=trial.number)
    chosen = [run.epochs if run.best_epoch is None else run.best_epoch for run in runs]
    build = ModelBuild.objects.create(
        version=version,
        search=search,
        trial=trial,
        trained_on=trained_on,
        seed=runs[0].seed,
        planned_epochs=max(1, round(sum(chosen) / len(chosen))) if trained_on == TrainedOn.ALL else None,
    )
    enqueue_on_commit(BUILD_MODEL, build.pk)
    event_record(AuditVerb.REGISTER, model, version=version.number)
    return version


def _model(owner: User | None, name: str) -> Model:
    """The model of that name, locked: versions are numbered and promoted one at a time."""
    try:
        validate_slug(name)
        if len(name) > NAME_LENGTH:
            raise ValidationError("too long")
    except ValidationError as error:
        raise Conflict(
            f"A model's name is part of addresses: up to {NAME_LENGTH} letters, digits, hyphens and underscores, but not {name[:100]!r}."
        ) from error
    Model.objects.get_or_create(name=name, defaults={"owner": owner})
    return Model.objects.select_for_update().get(name=name)


def _version(model: Model, owner: User | None, **fields: Any) -> ModelVersion:
    last = ModelVersion.objects.filter(model=model).aggregate(last=Max("number"))["last"] or 0
    return ModelVersion.objects.create(model=model, number=last + 1, owner=owner, **fields)


def model_build_complete(build: ModelBuild, *, bundle: Bundle, train_seconds: float) -> bool:
    """Store what was built and make its version READY; False when the build is no longer this attempt's."""
    with tempfile.TemporaryFile() as file:
        pack(bundle.folder, file)
        with transaction.atomic():
            saved = default_storage.save("bundle", File(file))
            if not run_complete(build, train_seconds=train_seconds):
                blobs_release({saved})
                return False
            ModelVersion.objects.filter(pk=build.version_id).update(**_built(bundle, saved))
            return True


def _built(bundle: Bundle, saved: str) -> dict[str, Any]:
    return {"state": ModelState.READY, "document": bundle.document.to_json(), "bundle_blob": saved, "digest": bundle.digest}


def model_build_report(build: ModelBuild, *, epochs: int) -> bool:
    """Write how far a build is; False when it is no longer this attempt's."""
    return owned(build).update(epochs=epochs) == 1


def model_import(*, owner: User | None, file: IO[bytes], name: str = "") -> ModelVersion:
    """A new version of a model from a bundle, as a zip file, of this or another installation; what is there already is given again.

    Args:
        name: of the model; the one that the bundle says by default.

    Raises:
        BundleError: it cannot be used; its kind and message say why.
        Conflict: the name cannot be part of an address.
    """
    with tempfile.TemporaryDirectory() as place:
        unpack(file, Path(place))
        bundle = load(Path(place))
        with tempfile.TemporaryFile() as packed, transaction.atomic():
            pack(Path(place), packed)
            model = _model(owner, name or slugify(bundle.document.name)[:NAME_LENGTH])
            known = ModelVersion.objects.filter(model=model, digest=bundle.digest).first()
            if known is not None:
                return known
            saved = default_storage.save("bundle", File(packed))
            version = _version(model, owner, **_built(bundle, saved))
            event_record(AuditVerb.IMPORT, model, version=version.number)
            return version


@transaction.atomic
def model_promote(*, owner: User | None, version_id: int) -> ModelVersion:
    """Serve this version instead of the one that is served; one that is promoted stays so.

    Raises:
        ModelVersion.DoesNotExist: there is no such version.
        Conflict: it is not built.
    """
    version = _locked(version_id)
    if version.state == ModelState.PROMOTED:
        return version
    if version.state == ModelState.BUILDING:
        raise Conflict(f"Version {version.number} of {version.model} is not built, so it cannot be promoted.")
    _serve(version.model, version)
    Promotion.objects.create(version=version, owner=owner)
    event_record(AuditVerb.PROMOTE, version.model, version=version.number)
    return version


@transaction.atomic
def model_roll_back(*, model_id: int) -> ModelVersion:
    """Serve the version again that was served before the present one.

    Raises:
        Model.DoesNotExist: there is no such model.
        Conflict: none was promoted before.
    """
    model = Model.objects.select_for_update().get(pk=model_id)
    earlier = before_promotion(model)
    if earlier is None:
        raise Conflict(f"No version of {model} was promoted before, so there is none to go back to.")
    undone = Promotion.objects.filter(version__model=model, undone_at=None)
    last_of_earlier = undone.filter(version=earlier).order_by("-id").values_list("pk", flat=True)[0]
    undone.filter(pk__gt=last_of_earlier).update(undone_at=Now())
    _serve(model, earlier)
    event_record(AuditVerb.ROLL_BACK, model, version=earlier.number)
    return earlier


@transaction.atomic
def model_archive(*, version_id: int) -> ModelVersion:
    """Put a version away; promoting it takes it out again.

    Raises:
        ModelVersion.DoesNotExist: there is no such version.
        Conflict: it is promoted, compared with the promoted one, or not built.
    """
    version = _locked(version_id)
    if Experiment.objects.filter(treatment=version, ended_at=None).exists():
        raise Conflict(f"Version {version.number} of {version.model} is served to some users by an experiment. Stop that first.")
    if version.state == ModelState.PROMOTED:
        raise Conflict(f"Version {version.number} of {version.model} is promoted. Promote another one first.")
    if version.state == ModelState.BUILDING:
        raise Conflict(f"Version {version.number} of {version.model} is not built, so there is nothing to put away.")
    version.state = ModelState.ARCHIVED
    version.save(update_fields=["state"])
    event_record(AuditVerb.ARCHIVE, version.model, version=version.number)
    return version


def _locked(version_id: int) -> ModelVersion:
    """A version whose model is locked."""
    model_id = ModelVersion.objects.values_list("model", flat=True).get(pk=version_id)
    Model.objects.select_for_update().get(pk=model_id)
    return ModelVersion.objects.select_related("model").get(pk=version_id)


def _serve(model: Model, version: ModelVersion) -> None:
    """Serve ``version`` to everybody: an experiment with another one ends."""
    Experiment.objects.filter(model=model, ended_at=None).update(ended_at=Now())
    ModelVersion.objects.filter(model=model, state=ModelState.PROMOTED).update(state=ModelState.READY)
    version.state = ModelState.PROMOTED
    version.save(update_fields=["state"])
