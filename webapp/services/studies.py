"""Searches between installations: written with all that they know, and taken in to be read and gone on with."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from gnn.bundle.members import pack, seal, unpack
from gnn.errors import BundleTampered, SpaceError
from gnn.plan import SearchPlan
from gnn.protocol import Protocol
from gnn.space import SearchSpace
from webapp.enums import IN_FLIGHT_RUN_STATES, ArmName, AuditVerb, DatasetState, RunState, SearchState
from webapp.models import Arm, ArmPart, Baseline, ControllerReport, Dataset, FinalistRun, Search, Trial, TrialEpoch, TrialRung
from webapp.selectors.studies import dataset_of_study, study_write
from webapp.services.audit import event_record
from webapp.services.baselines import BASELINES
from webapp.services.dataset_removal import dataset_delete
from webapp.services.searches import CONTROLLER_NAMES, MAX_TRIALS, MAX_WORKERS, search_lock
from webapp.study_document import (
    STUDY,
    Kind,
    Study,
    StudyArm,
    StudyReport,
    StudyRun,
    StudyTrial,
    lines_read,
    study_read,
)

OPEN = (SearchState.RUNNING, SearchState.FINISHING, SearchState.PAUSED)
"""States of a search that can go on."""
MAX_ARM_TRIALS = len(ArmName) * MAX_TRIALS
MAX_RUNS = 10_000
TRIALS_AT_ONCE = 200


@dataclass(frozen=True)
class Imported:
    """A search that a study became."""

    search: Search
    needs: str
    """Which data it lacks here, as a sentence; empty where it can go on."""


def search_export(*, search_id: int, file: IO[bytes]) -> Search:
    """Write a search as one zip file.

    Checkpoints stay behind: what is in training begins again where the study is taken in.

    Raises:
        Search.DoesNotExist: there is no such search.
    """
    with tempfile.TemporaryDirectory() as place:
        with transaction.atomic():
            search = search_lock(search_id)
            study_write(search, Path(place))
        seal(Path(place), STUDY)
        pack(Path(place), file, STUDY)
    return search


def search_import(*, owner: User | None, file: IO[bytes]) -> Imported:
    """Take in a search of another installation, paused where it was going on; one that is here already is given again.

    Where the data it was made on is not here it can be read and not resumed: the import is repeated once the data is there.

    Raises:
        BundleError: the file cannot be used; its kind and message say why.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        unpack(file, folder, STUDY)
        study = study_read(folder)
        _check(study)
        try:
            with transaction.atomic():
                known = Search.objects.filter(start_token=study.search.start_token).first()
                search = _attached(known.pk, study) if known else _created(owner, study, folder)
        except IntegrityError as error:
            reason = str(error).partition("DETAIL:")[2].strip() or str(error)
            raise BundleTampered(f"Two rows of the study say they are the same: {reason[:500]}") from error
    return Imported(search, "" if search.dataset.state == DatasetState.READY else data_needed(study))


def data_needed(study: Study) -> str:
    """Which data a study wants, for whoever has to find it."""
    data = study.data
    tables = f" and {len(data.files)} further table(s)" if data.files else ""
    return (
        f"This search was made on “{data.name}”, version {data.version}: {data.interactions:,} interactions of {data.users:,} users with "
        f"{data.items:,} items{tables}. That data is not here, so the search can be read and not resumed. Upload the same file, have it "
        f"read in the same way, and import the search again. SHA-256 of the interactions as Recsmith stores them: {data.sha256}."
    )


def _message(study: Study) -> str:
    """What the search said where it had its data; nothing is known of that where it came by an installation that lacked it too."""
    return "" if study.search.message == data_needed(study) else study.search.message


def _check(study: Study) -> None:
    """Refuse what no search could have begun with."""
    search = study.search
    try:
        SearchSpace.from_json(search.space)
        SearchPlan.from_json(search.plan).check(Protocol.from_json(search.protocol))
    except SpaceError as error:
        raise BundleTampered(f"study.json: {error}") from error
    if search.controller not in CONTROLLER_NAMES:
        raise BundleTampered(f"study.json: there is no controller {search.controller!r}.")
    for name, value, high in (("planned_trials", search.planned_trials, MAX_TRIALS), ("workers", search.workers, MAX_WORKERS)):
        if not 1 <= value <= high:
            raise BundleTampered(f"study.json: {name} must be from 1 to {high}, but is {value}.")


def _attached(search_id: int, study: Study) -> Search:
    """The search that is here already, on its data if that has come since."""
    search = search_lock(search_id)
    found, missing = dataset_of_study(study.data), search.dataset
    if missing.state != DatasetState.READY and found is not None:
        search.dataset, search.message = found, _message(study)
        search.save(update_fields=["dataset", "message"])
        if not Search.objects.filter(dataset=missing).exists():
            dataset_delete(dataset_id=missing.pk)
    return search


def _created(owner: User | None, study: Study, folder: Path) -> Search:
    facts = study.search.model_dump(exclude={"created_at", "comparisons", "state"})
    dataset, going_on = dataset_of_study(study.data), study.search.state in OPEN
    search = Search(
        **facts,
        owner=owner,
        dataset=dataset or _missing_dataset(owner, study),
        state=SearchState.PAUSED if going_on else study.search.state,
        comparisons=[comparison.model_dump() for comparison in study.search.comparisons],
    )
    search.message = data_needed(study) if dataset is None and going_on else _message(study)
    search.save()
    # An open search has been going for as long as it had when it was written; the time on the way counts for nothing.
    age = max(study.exported_at, study.search.created_at) - study.search.created_at
    Search.objects.filter(pk=search.pk).update(created_at=Now() - age if going_on else study.search.created_at)
    numbers = _trials(search, folder, going_on=going_on)
    _runs(search, folder, numbers, going_on=going_on)
    for reports in _batches(lines_read(StudyReport, folder / "reports.jsonl", most=MAX_ARM_TRIALS)):
        ControllerReport.objects.bulk_create([ControllerReport(search=search, **report.model_dump()) for report in reports])
    _arms(search, folder)
    event_record(AuditVerb.CREATE, search, imported=True)
    search.refresh_from_db()
    return search


def _missing_dataset(owner: User | None, study: Study) -> Dataset:
    """What stands for data that is not here; nothing can be read of it."""
    data = study.data
    return Dataset.objects.create(
        name=data.name,
        owner=owner,
        version=max(1, data.version),
        state=DatasetState.INVALID,
        message=data_needed(study),
        filename="not-here.csv",
        source_blob=default_storage.save("missing", ContentFile(b"")),
        profile={name: getattr(data, name) for name in ("users", "items", "interactions", "pairs")}
        | {"study": data.model_dump(mode="json")},
    )


def _batches(parts: Iterator[Kind]) -> Iterator[list[Kind]]:
    return iter(lambda: list(islice(parts, TRIALS_AT_ONCE)), [])


def _state(state: RunState, *, going_on: bool) -> RunState:
    """What becomes of a run that somebody else's worker may have been at."""
    if state in IN_FLIGHT_RUN_STATES or (state == RunState.WAITING and not going_on):
        return RunState.QUEUED if going_on else RunState.STOPPED
    return state


def _trials(search: Search, folder: Path, *, going_on: bool) -> dict[int, int]:
    """Write the trials with their rungs and curves; number of each -> primary key."""
    space, numbers = SearchSpace.from_json(search.space), {}
    links: list[tuple[int, int | None, int | None]] = []
    for some in _batches(lines_read(StudyTrial, folder / "trials.jsonl", most=MAX_ARM_TRIALS)):
        rows = []
        for trial in some:
            try:
                space.architecture(trial.architecture)
            except SpaceError as error:
                raise BundleTampered(f"trials.jsonl: trial {trial.number}: {error}") from error
            facts = trial.model_dump(exclude={"rungs", "curve", "same_as", "inherited_from", "state"})
            rows.append(Trial(search=search, state=_state(trial.state, going_on=going_on), **facts))
        for row, trial in zip(Trial.objects.bulk_create(rows), some, strict=True):
            numbers[trial.number] = row.pk
            links.append((row.pk, trial.same_as, trial.inherited_from))
        pairs = list(zip(rows, some, strict=True))
        TrialRung.objects.bulk_create(
            [TrialRung(trial=row, search=search, arm=row.arm, **rung.model_dump()) for row, trial in pairs for rung in trial.rungs]
        )
        TrialEpoch.objects.bulk_create([TrialEpoch(trial=row, **epoch.model_dump()) for row, trial in pairs for epoch in trial.curve])
    linked = [
        Trial(
            pk=pk,
            same_as_id=None if same_as is None else _known(numbers, same_as),
            inherited_from_id=None if inherited is None else _known(numbers, inherited),
        )
        for pk, same_as, inherited in links
        if same_as is not None or inherited is not None
    ]
    Trial.objects.bulk_update(linked, ["same_as", "inherited_from"], batch_size=TRIALS_AT_ONCE)
    return numbers


def _known(numbers: Mapping[int, int], number: int) -> int:
    if number not in numbers:
        raise BundleTampered(f"The study speaks of a trial {number}, which it does not have.")
    return numbers[number]


def _runs(search: Search, folder: Path, numbers: Mapping[int, int], *, going_on: bool) -> None:
    lengths = set()
    for run in lines_read(StudyRun, folder / "runs.jsonl", most=MAX_RUNS):
        facts = run.model_dump(exclude={"baseline", "trial", "state"}) | {"search": search, "state": _state(run.state, going_on=going_on)}
        if run.test_users is not None:
            lengths.add(len(run.test_users))
        if run.baseline:
            if facts["state"] == RunState.QUEUED and run.baseline not in BASELINES:
                raise BundleTampered(f"runs.jsonl: there is no baseline {run.baseline!r}.")
            Baseline.objects.create(name=run.baseline, **_without(facts, "seed", "epochs", "best_epoch"))
        elif run.trial is None or run.seed is None:
            raise BundleTampered("runs.jsonl: a run is neither of a baseline nor of a trial with a seed.")
        else:
            FinalistRun.objects.create(trial_id=_known(numbers, run.trial), **_without(facts, "valid_slices"))
    if len(lengths) > 1:
        raise BundleTampered("runs.jsonl: not all runs were tested on the same number of users.")


def _without(facts: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if name not in names}


def _arms(search: Search, folder: Path) -> None:
    found: Iterator[StudyArm] = lines_read(StudyArm, folder / "arms.jsonl", most=len(ArmName))
    names = set()
    for arm in found:
        names.add(arm.name)
        row = Arm.objects.create(search=search, **arm.model_dump(exclude={"parts"}))
        ArmPart.objects.bulk_create([ArmPart(arm=row, name=name, content=content) for name, content in arm.parts.items()])
    if lacking := {ArmName.CONTROLLER, ArmName.MANUAL} - names:
        raise BundleTampered(f"arms.jsonl: the study lacks the arm {min(lacking)}.")
