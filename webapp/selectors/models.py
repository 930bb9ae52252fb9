"""What pages, commands and workers read about models and their versions."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from django.core.files.storage import default_storage
from django.core.paginator import Page, Paginator
from django.db.models import Count, Prefetch, QuerySet

from gnn.bundle import Bundle, load
from gnn.bundle.document import Interval, Measured, Metrics, ModelDocument, Scores
from gnn.bundle.members import unpack
from gnn.errors import BundleTampered
from gnn.significance import compare
from webapp.enums import ModelState, RunState
from webapp.models import Baseline, FinalistRun, Model, ModelBuild, ModelVersion, Promotion, Search, Trial
from webapp.selectors.annotations import annotated
from webapp.selectors.searches import BASELINE_LABELS, mean_and_sd, objective_of
from webapp.selectors.tested import tested_finalists

PAGE_LENGTH = 25
SHOWN_VERSIONS = 100
KEPT_UNPACKED = 10
"""Unpacked bundles that a machine keeps beside those of promoted versions."""
SETTLED_SECONDS = 3600


@dataclass(frozen=True)
class VersionRow:
    """A version of a model as pages show it."""

    version: ModelVersion
    state: ModelState
    message: str
    """Why there is no model, when FAILED; what is being done, while BUILDING."""

    @cached_property
    def document(self) -> ModelDocument | None:
        """None until it is built."""
        return ModelDocument.from_json(self.version.document) if self.version.document else None

    def get_state_display(self) -> str:
        return str(self.state.label)


def version_row(version: ModelVersion) -> VersionRow:
    state = ModelState(version.state)
    if state != ModelState.BUILDING:
        return VersionRow(version, state, "")
    build: ModelBuild | None = getattr(version, "build", None)
    if build is None:
        return VersionRow(version, ModelState.FAILED, "Its search was deleted before it was built.")
    if build.state in (RunState.FAILED, RunState.STOPPED):
        return VersionRow(version, ModelState.FAILED, build.message)
    if build.state == RunState.QUEUED:
        return VersionRow(version, state, "It waits for a worker.")
    return VersionRow(version, state, f"{build.epochs} epochs are trained." if build.epochs else "A worker has begun to train it.")


def _versions() -> QuerySet[ModelVersion]:
    return ModelVersion.objects.select_related("model", "owner", "search", "build").order_by("-number")


def version_of(name: str, number: int) -> VersionRow:
    """Raises ModelVersion.DoesNotExist."""
    return version_row(_versions().get(model__name=name, number=number))


def version_said(text: str) -> ModelVersion:
    """The version that a command's argument means: an id, ``name/number``, or a name for the promoted or else the newest built one.

    Raises:
        ModelVersion.DoesNotExist: there is none.
    """
    built = _versions().exclude(bundle_blob="")
    if text.isdecimal():
        return built.get(pk=int(text[:18]))
    name, slash, number = text.partition("/")
    if slash:
        return built.get(model__name=name, number=int(number[:9]) if number.isdecimal() else 0)
    version = promoted_version(name) or built.filter(model__name=name).first()
    if version is None:
        raise ModelVersion.DoesNotExist(text)
    return version


def versions_listed(model: Model) -> QuerySet[ModelVersion]:
    """The versions of a model, newest first, with what ``version_row`` reads of them."""
    return _versions().filter(model=model)


def versions_of(model: Model) -> list[VersionRow]:
    """The newest versions of a model, newest first."""
    return [version_row(version) for version in versions_listed(model)[:SHOWN_VERSIONS]]


def promoted_version(name: str) -> ModelVersion | None:
    """The version of a model that is served."""
    return ModelVersion.objects.select_related("model").filter(model__name=name, state=ModelState.PROMOTED).first()


@dataclass(frozen=True)
class ModelRow:
    """One line of the list of models."""

    model: Model
    n_versions: int
    newest: VersionRow
    promoted: VersionRow | None


def models_listed(*, text: str = "") -> QuerySet[Any]:
    """Models by name; ``model_rows`` adds what a list shows of them."""
    models = Model.objects.annotate(n_versions=Count("versions")).order_by("name")
    if text:
        models = models.filter(name__icontains=text)
    promoted = _versions().filter(state=ModelState.PROMOTED)
    models = models.prefetch_related(Prefetch("versions", queryset=promoted, to_attr="promoted_versions"))
    return models


def models_page(*, text: str = "", page: int | str = 1, tag: str = "", archived: bool = False) -> Page[Any]:
    """A page of ``models_listed``; any ``page`` asked for gives an existing one."""
    return Paginator(annotated(models_listed(text=text), tag=tag, archived=archived), PAGE_LENGTH).get_page(page)


def model_rows(models: Sequence[Any]) -> list[ModelRow]:
    """The newest and the promoted version of each of the models of a page: one query for all."""
    newest = {
        version.model_id: version
        for version in _versions().filter(model__in=[model.pk for model in models]).order_by("model_id", "-number").distinct("model_id")
    }
    return [
        ModelRow(
            model=model,
            n_versions=model.n_versions,
            newest=version_row(newest[model.pk]),
            promoted=version_row(model.promoted_versions[0]) if model.promoted_versions else None,
        )
        for model in models
    ]


def before_promotion(model: Model) -> ModelVersion | None:
    """The version that a roll-back would promote again: the one promoted last before the present one, if it is not archived."""
    standing = Promotion.objects.filter(version__model=model, undone_at=None).select_related("version").order_by("-id")
    current = standing.first()
    if current is None:
        return None
    earlier = standing.exclude(version=current.version_id).exclude(version__state=ModelState.ARCHIVED).first()
    return None if earlier is None else earlier.version


def registrable_runs(trial: Trial) -> list[FinalistRun]:
    """The completed seeds of a finalist, best on validation first."""
    objective = objective_of(trial.search)
    runs = FinalistRun.objects.filter(trial=trial, state=RunState.COMPLETED).defer("test_users").order_by("seed")
    return sorted(runs, key=lambda run: -run.valid_scores.get(objective, 0.0))


def finalist_metrics(search: Search, trial: Trial) -> Metrics:
    """How a finalist of a finished search scored, and what stood beside it."""
    runs, objective = registrable_runs(trial), objective_of(search)
    baselines = Baseline.objects.filter(search=search, state=RunState.COMPLETED).defer("test_users").order_by("id")
    tested = next((found for found in tested_finalists(search) if found.number == trial.number), None)
    interval = None
    if tested is not None:
        # Its resampling against nothing is that of the mean itself.
        against_zero = compare(tested.users, np.zeros_like(tested.users))
        interval = Interval(low=against_zero.low, high=against_zero.high, confidence=against_zero.confidence, users=len(tested.users))
    return Metrics(
        objective=objective,
        seeds=tuple(sorted(run.seed for run in runs)),
        scores=_scores([run.valid_scores for run in runs], [run.test_scores for run in runs]),
        interval=interval,
        baselines={BASELINE_LABELS.get(row.name, row.name): _scores([row.valid_scores], [row.test_scores]) for row in baselines},
        verdict=search.message,
    )


def _scores(validation: Sequence[Mapping[str, float]], test: Sequence[Mapping[str, float]]) -> Scores:
    return Scores(
        validation={name: Measured(mean=mean, sd=sd) for name, (mean, sd) in mean_and_sd(validation).items()},
        test={name: Measured(mean=mean, sd=sd) for name, (mean, sd) in mean_and_sd(test).items()},
    )


def bundle_opened(version: ModelVersion, cache: Path) -> Bundle:
    """The bundle of a built version, in ``cache / digest``, where processes of one machine share its memory-mapped arrays.

    Raises:
        BundleError: what is stored is not what was stored.
    """
    folder = cache / version.digest
    if folder.is_dir():
        folder.touch()  # so that it is not among the oldest
    else:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as place, default_storage.open(version.bundle_blob) as file:
            fresh = Path(place) / "bundle"
            fresh.mkdir()
            unpack(file, fresh)
            try:
                fresh.rename(folder)
            except OSError:
                if not folder.is_dir():  # another process was first, with the same content
                    raise
                shutil.rmtree(fresh)
        _forget_oldest(cache)
    bundle = load(folder)
    if bundle.digest != version.digest:
        raise BundleTampered(f"{folder} holds another bundle than version {version.number} of {version.model}. Delete that folder.")
    return bundle


def _forget_oldest(cache: Path) -> None:
    """Keep the promoted versions and the few used last; what is mapped elsewhere stays readable there until it is let go.

    What was used or begun within the hour stays in any case: another process may be about to read it.
    """
    promoted = set(ModelVersion.objects.filter(state=ModelState.PROMOTED).values_list("digest", flat=True))
    found = {path: path.stat().st_mtime for path in cache.iterdir() if path.name not in promoted}
    settled = [path for path, used in sorted(found.items(), key=lambda item: -item[1]) if used < time.time() - SETTLED_SECONDS]
    for path in settled[max(0, KEPT_UNPACKED - (len(found) - len(settled))) :]:
        shutil.rmtree(path, ignore_errors=True)
