"""What of a search goes into a study, and which data here it was made on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.db.models import F
from django.utils import timezone

from gnn.code import code_digest
from webapp.enums import DatasetState, FileKind
from webapp.models import Arm, Baseline, ControllerReport, Dataset, FinalistRun, Search, Trial, TrialEpoch, TrialRung
from webapp.study_document import (
    Part,
    Study,
    StudyArm,
    StudyData,
    StudyEpoch,
    StudyFile,
    StudyReport,
    StudyRun,
    StudyRung,
    StudySearch,
    StudyTrial,
)

TRIALS_AT_ONCE = 200
"""Trials whose curves are in memory together."""


def study_of(search: Search) -> Study:
    """What ``study.json`` says of a search."""
    fields = (name for name in StudySearch.model_fields)
    return Study(
        exported_at=timezone.now(),
        code=code_digest(),
        data=_data(search.dataset),
        search=StudySearch.model_validate({name: getattr(search, name) for name in fields}),
    )


def study_write(search: Search, folder: Path) -> None:
    """Write the members of a study into an empty folder; its search is locked, so that no round changes it meanwhile."""
    (folder / "study.json").write_text(study_of(search).line(), encoding="utf-8")
    for name, parts in (("trials", _trials(search)), ("runs", _runs(search)), ("reports", _reports(search)), ("arms", _arms(search))):
        with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(part.line() for part in parts)


def _data(dataset: Dataset) -> StudyData:
    profile = dataset.profile
    if dataset.state != DatasetState.READY:  # it stands for data that is not here
        return StudyData.model_validate(profile["study"])
    return StudyData(
        name=dataset.name,
        version=dataset.version,
        sha256=dataset.data_blob,
        users=profile["users"],
        items=profile["items"],
        interactions=profile["interactions"],
        pairs=profile["pairs"],
        files=_files(dataset),
    )


def _files(dataset: Dataset) -> tuple[StudyFile, ...]:
    rows = dataset.files.exclude(data_blob="").order_by("kind", "data_blob").values_list("kind", "data_blob")
    return tuple(StudyFile(kind=FileKind(kind), sha256=digest) for kind, digest in rows)


def dataset_of_study(data: StudyData) -> Dataset | None:
    """The newest dataset here whose interactions and further tables are those of the study."""
    rows = Dataset.objects.filter(state=DatasetState.READY, data_blob=data.sha256).order_by("-id")
    return next((dataset for dataset in rows if _files(dataset) == data.files), None)


def _trials(search: Search) -> Iterator[Part]:
    rows = Trial.objects.filter(search=search).order_by("number")
    rows = rows.annotate(same_number=F("same_as__number"), inherited_number=F("inherited_from__number"))
    start = 0
    while some := list(rows.filter(number__gt=start)[:TRIALS_AT_ONCE]):
        rungs = _by_trial(TrialRung.objects.filter(trial__in=some).order_by("trial", "rung").values("trial", *StudyRung.model_fields))
        curves = _by_trial(TrialEpoch.objects.filter(trial__in=some).order_by("trial", "epoch").values("trial", *StudyEpoch.model_fields))
        own = set(StudyTrial.model_fields) - {"rungs", "curve", "same_as", "inherited_from"}
        for trial in some:
            yield StudyTrial.model_validate(
                {name: getattr(trial, name) for name in own}
                | {"same_as": trial.same_number, "inherited_from": trial.inherited_number}
                | {"rungs": rungs.get(trial.pk, ()), "curve": curves.get(trial.pk, ())}
            )
        start = some[-1].number


def _by_trial(rows: Any) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row.pop("trial"), []).append(row)
    return found


def _runs(search: Search) -> Iterator[Part]:
    own = set(StudyRun.model_fields) - {"baseline", "trial"}
    nothing: dict[str, Any] = {"seed": None, "epochs": 0, "best_epoch": None}
    for baseline in Baseline.objects.filter(search=search).order_by("id").iterator():
        facts = {name: getattr(baseline, name) for name in own - nothing.keys()}
        yield StudyRun.model_validate(facts | nothing | {"baseline": baseline.name, "trial": None})
    for run in FinalistRun.objects.filter(search=search).select_related("trial").order_by("id").iterator():
        facts = {name: getattr(run, name) for name in own - {"valid_slices"}}
        yield StudyRun.model_validate(facts | {"valid_slices": {}, "baseline": "", "trial": run.trial.number})


def _reports(search: Search) -> Iterator[Part]:
    for row in ControllerReport.objects.filter(search=search).order_by("told").values(*StudyReport.model_fields).iterator():
        yield StudyReport.model_validate(row)


def _arms(search: Search) -> Iterator[Part]:
    for arm in Arm.objects.filter(search=search).order_by("id").prefetch_related("parts"):
        facts = {name: getattr(arm, name) for name in set(StudyArm.model_fields) - {"parts"}}
        yield StudyArm.model_validate(facts | {"parts": {part.name: part.content for part in arm.parts.all()}})
