"""Studies: a search that was written and taken in elsewhere goes on as if nothing had happened."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import Model
from django.utils import timezone

from gnn.bundle.members import MANIFEST
from gnn.errors import BundleError, BundleNewer, BundleTampered, BundleTruncated, BundleUnsafe
from gnn.plan import Rungs, SearchPlan
from gnn.protocol import Protocol
from searchworker import tasks
from tests.searchworker.searching import run_everything, start
from tests.toy_dataset import toy_dataset
from webapp.enums import DatasetState, RunState, SearchState
from webapp.models import Arm, Baseline, ControllerReport, Dataset, FinalistRun, Search, Trial, TrialEpoch, TrialRung
from webapp.services.dataset_removal import dataset_delete
from webapp.services.errors import Conflict
from webapp.services.searches import search_pause, search_resume
from webapp.services.studies import search_export, search_import

pytestmark = pytest.mark.django_db

PLAN = SearchPlan(random_arm=True, rungs=Rungs(first=2, factor=2))
PROTOCOL = Protocol(max_epochs=4, patience=4, finalists=1, finalist_seeds=2)


def written(search: Search) -> io.BytesIO:
    file = io.BytesIO()
    search_export(search_id=search.pk, file=file)
    file.seek(0)
    return file


def emptied(search: Search) -> None:
    """Another installation: neither the search nor its data is here."""
    dataset_id = search.dataset_id
    search.delete()
    dataset_delete(dataset_id=dataset_id)
    assert not Trial.objects.exists()


def some_rounds(search: Search, trials: int) -> Search:
    """Train that many trials one after the other."""
    tasks.advance_search(search.pk)
    for _ in range(trials):
        trial = search.trials.filter(state=RunState.QUEUED).order_by("number").first()
        assert trial is not None
        tasks.run_trial(trial.pk)
        tasks.advance_search(search.pk)
    search.refresh_from_db()
    return search


TIMES = {"created_at", "started_at", "finished_at", "enqueued_at", "ended_at", "train_seconds", "seconds", "latency_ms", "advanced_at"}
IDENTITIES = {"id", "search", "trial", "arm_id", "owner", "dataset", "start_token"}


def rows_of(model: type[Model], *order: str, leave_out: set[str] = TIMES) -> list[dict[str, Any]]:
    """All rows without their keys, and without what a clock says."""
    names = [field.name for field in model._meta.fields if field.name not in IDENTITIES | leave_out]
    replaced = {"same_as": "same_as__number", "inherited_from": "inherited_from__number"}
    rows = list(model._default_manager.order_by(*order).values(*(replaced.get(name, name) for name in names)))
    return [{name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()} for row in rows]


def everything(*, leave_out: set[str]) -> dict[str, list[dict[str, Any]]]:
    return {
        "searches": rows_of(Search, "id", leave_out=leave_out),
        "trials": rows_of(Trial, "number", leave_out=leave_out),
        "rungs": rows_of(TrialRung, "trial__number", "rung", leave_out=leave_out),
        "curves": rows_of(TrialEpoch, "trial__number", "epoch", leave_out=leave_out),
        "baselines": rows_of(Baseline, "name", leave_out=leave_out),
        "finalists": rows_of(FinalistRun, "trial__number", "seed", leave_out=leave_out),
        "reports": rows_of(ControllerReport, "told", leave_out=leave_out),
        "arms": rows_of(Arm, "name", leave_out=leave_out),
    }


LOCAL = {
    "attempt", "lease_expires_at", "enqueued_at", "advanced_at", "checkpoint_blob", "embeddings_blob", "space_version", "learned_from",
    "importance_asked_at", "text_key", "text_blob", "note", "note_version", "tags", "archived_at",
}  # fmt: skip
"""What belongs to one installation; every other column goes along, and a new one fails here until it is decided."""


def test_a_finished_search_is_the_same_in_every_column() -> None:
    search = run_everything(start(plan=PLAN, protocol=PROTOCOL, planned_trials=3))
    assert search.state == SearchState.FINISHED
    left_out = LOCAL | {"created_at"}  # of a run, which is when its row was written
    before, created = everything(leave_out=left_out), search.created_at
    file = written(search)
    emptied(search)
    dataset = toy_dataset()
    imported = search_import(owner=None, file=file)
    assert imported.needs == ""
    assert (imported.search.dataset, imported.search.created_at) == (dataset, created)
    assert everything(leave_out=left_out) == before
    parts = list(Arm.objects.order_by("name", "parts__name").values_list("name", "parts__name"))
    assert any(name for _, name in parts), "the controller's state has parts"
    file.seek(0)
    assert search_import(owner=None, file=file).search == imported.search, "what is here already is given again"
    assert Search.objects.count() == 1


def test_a_search_that_is_gone_on_with_ends_as_one_that_stayed() -> None:
    """With one worker a search replays, so both must train the same trials to the same scores, and choose the same finalists."""
    arguments: dict[str, Any] = {
        "protocol": PROTOCOL,
        "planned_trials": 3,
        "plan": SearchPlan(random_arm=True, rungs=None),
    }
    stayed = run_everything(some_rounds(start(**arguments), 2))
    expected = everything(leave_out=LOCAL | TIMES | {"losses", "worker"})
    emptied(stayed)
    moved = some_rounds(start(**arguments), 2)
    file = written(moved)
    emptied(moved)
    toy_dataset()
    imported = search_import(owner=None, file=file).search
    assert imported.state == SearchState.PAUSED
    search_resume(search_id=imported.pk)
    run_everything(imported)
    assert everything(leave_out=LOCAL | TIMES | {"losses", "worker"}) == expected


def test_trials_that_wait_at_a_rung_go_on_without_their_checkpoints() -> None:
    search = some_rounds(start(plan=PLAN, protocol=PROTOCOL, planned_trials=4), 3)
    assert search.trials.filter(state=RunState.WAITING).exists()
    file = written(search)
    emptied(search)
    toy_dataset()
    imported = search_import(owner=None, file=file).search
    assert imported.trials.filter(state=RunState.WAITING, checkpoint_blob="").exists()
    search_resume(search_id=imported.pk)
    some_rounds(imported, 4)
    assert not imported.trials.filter(state=RunState.FAILED).exists()
    promoted = imported.trials.filter(rung=1, state=RunState.COMPLETED).first()
    assert promoted is not None
    assert list(promoted.curve.order_by("epoch").values_list("epoch", flat=True)) == list(range(1, promoted.epochs + 1))


def test_without_its_data_a_search_is_read_and_goes_on_once_the_data_is_there() -> None:
    search = some_rounds(start(planned_trials=2), 1)
    sha256, message = search.dataset.data_blob, search.message
    file = written(search)
    emptied(search)
    imported = search_import(owner=None, file=file)
    assert sha256 in imported.needs
    assert "Upload the same file" in imported.needs
    assert imported.search.message == imported.needs
    assert imported.search.dataset.state == DatasetState.INVALID
    with pytest.raises(Conflict, match=sha256):
        search_resume(search_id=imported.search.pk)
    file = written(imported.search)  # it may go further on as it is
    dataset = toy_dataset()
    again = search_import(owner=None, file=file)
    assert (again.search, again.needs, again.search.dataset, again.search.message) == (imported.search, "", dataset, message)
    assert Dataset.objects.get() == dataset, "nothing stands for the data any more"
    search_resume(search_id=again.search.pk)
    some_rounds(again.search, 1)
    assert again.search.trials.filter(state=RunState.COMPLETED).count() == 2


def test_data_with_other_tables_is_not_the_data_of_a_search() -> None:
    search = some_rounds(start(planned_trials=1), 1)
    file = changed(
        search, "study.json", lambda text: text.replace('"files": []', f'"files": [{{"kind": "item_attributes", "sha256": "{"ab" * 32}"}}]')
    )
    search.delete()
    assert "1 further table(s)" in search_import(owner=None, file=file).needs


def test_time_on_the_way_counts_for_nothing() -> None:
    search = some_rounds(start(planned_trials=2), 1)
    Search.objects.filter(pk=search.pk).update(created_at="2026-01-01T00:00:00Z")
    search_pause(search_id=search.pk)

    def backdate(text: str) -> str:
        study = json.loads(text)
        return json.dumps(study | {"exported_at": "2026-01-01T00:10:00Z"})

    file = changed(search, "study.json", backdate)
    search.delete()
    imported = search_import(owner=None, file=file).search
    assert imported.advanced_at is None
    assert (timezone.now() - imported.created_at).total_seconds() == pytest.approx(600, abs=60)


def changed(search: Search, member: str, change: Callable[[str], str]) -> io.BytesIO:
    """A study in which somebody changed a member, under true checksums."""
    return changed_bytes(written(search).getvalue(), member, change)


def changed_bytes(study: bytes, member: str, change: Callable[[str], str]) -> io.BytesIO:
    with zipfile.ZipFile(io.BytesIO(study)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    before = members[member].decode()
    members[member] = change(before).encode()
    assert members[member].decode() != before
    manifest = json.loads(members[MANIFEST])
    manifest["members"][member] = {"bytes": len(members[member]), "sha256": hashlib.sha256(members[member]).hexdigest()}
    members[MANIFEST] = json.dumps(manifest).encode()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    file.seek(0)
    return file


def field(name: str, value: object) -> Callable[[str], str]:
    """The first line with another value; a dot goes into an object."""

    def change(text: str) -> str:
        first, rest = text.split("\n", 1)
        document = json.loads(first)
        at = document
        *path, last = name.split(".")
        for step in path:
            at = at[step]
        at[last] = value
        return json.dumps(document) + "\n" + rest

    return change


def twice(text: str) -> str:
    return text + text


PICKLE = "gASVBgAAAAAAAABdlEsBYS4="
"""``pickle.dumps([1])`` in Base64."""

TAMPERED: dict[str, tuple[str, Callable[[str], str], type[BundleError], str]] = {
    "not JSON": ("study.json", lambda text: "{", BundleTampered, "study.json is not JSON"),
    "not a number": ("trials.jsonl", field("reward", float("nan")), BundleTampered, "NaN is not a number"),
    "space": ("study.json", field("search.space", {"schema": 9}), BundleTampered, "study.json: "),
    "plan": ("study.json", field("search.plan", {"cheese": 1}), BundleTampered, "Plan setting cheese"),
    "controller": ("study.json", field("search.controller", "magic"), BundleTampered, "no controller 'magic'"),
    "workers": ("study.json", field("search.workers", 10**6), BundleTampered, "workers must be from 1 to"),
    "state": ("study.json", field("search.state", "winning"), BundleTampered, "search.state"),
    "unknown field": ("study.json", field("search.owner", "root"), BundleTampered, "search.owner: Extra inputs"),
    "architecture": ("trials.jsonl", field("architecture", {"layers": 99}), BundleTampered, "trial 1: "),
    "two trials": ("trials.jsonl", twice, BundleTampered, "Two rows of the study"),
    "a trial that is not there": ("trials.jsonl", field("same_as", 77), BundleTampered, "speaks of a trial 77"),
    "scores": ("trials.jsonl", field("scores", {"ndcg@20": "high"}), BundleTampered, "scores.ndcg@20"),
    "slices": ("trials.jsonl", field("slices", {"errors": 1}), BundleTampered, "not slices"),
    "a baseline": ("runs.jsonl", field("baseline", "magic"), BundleTampered, "there is no baseline 'magic'"),
    "values of users": ("runs.jsonl", field("test_users", "AAA="), BundleTampered, "test_users"),
    "a pickle as state": ("arms.jsonl", field("state", PICKLE), BundleTampered, "not a safetensors document"),
    "arms": ("arms.jsonl", lambda text: text.split("\n", 1)[1], BundleTampered, "lacks the arm controller"),
    "a long line": ("reports.jsonl", lambda text: " " * (17 * 2**20) + "\n" + text, BundleUnsafe, "longer than"),
    "another arm": ("arms.jsonl", field("name", "third"), BundleTampered, "name: Input should be"),
}  # fmt: skip


@pytest.fixture(scope="module")
def kept() -> list[bytes]:
    return []


@pytest.fixture
def study(kept: list[bytes]) -> bytes:
    """A study of a search that is not here; written once, as what is in it takes training."""
    if not kept:
        search = some_rounds(start(planned_trials=2), 1)
        kept.append(written(search).getvalue())
        emptied(search)
    return kept[0]


@pytest.mark.parametrize("case", TAMPERED)
def test_what_no_search_wrote_is_refused_with_its_reason(study: bytes, case: str) -> None:
    member, change, kind, message = TAMPERED[case]
    file = changed_bytes(study, member, change)
    with pytest.raises(kind, match=message) as error:
        search_import(owner=None, file=file)
    assert type(error.value) is kind
    for model in (Search, Trial, Dataset, Arm, Baseline):
        assert not model._default_manager.exists(), "nothing of it stays"


def archive_of(study: bytes, extra: dict[str, bytes], schema: int = 1) -> bytes:
    with zipfile.ZipFile(io.BytesIO(study)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[MANIFEST] = members[MANIFEST].replace(b'"schema": 1', b'"schema": %d' % schema)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (members | extra).items():
            archive.writestr(name, content)
    return file.getvalue()


ARCHIVES: dict[str, tuple[Callable[[bytes], bytes], type[BundleError], str]] = {
    "pickle": (lambda study: pickle.dumps([1]), BundleError, "not a zip file, so it is not a bundle of a search"),
    "traversal": (lambda study: archive_of(study, {"../evil": b"x"}), BundleUnsafe, "outside its folder"),
    "bomb": (lambda study: archive_of(study, {"arms.jsonl": bytes(50_000_000)}), BundleTampered, "arms.jsonl has 50,000,000 bytes"),
    "tampered": (lambda study: archive_of(study, {"arms.jsonl": b"{}"}), BundleTampered, "the manifest says"),
    "newer": (lambda study: archive_of(study, {}, schema=2), BundleNewer, "schema 2, but this version reads up to 1"),
    "truncated": (lambda study: study[:-100], BundleTruncated, "damaged or not complete"),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_archives_that_are_no_study_are_refused(study: bytes, case: str) -> None:
    make, kind, message = ARCHIVES[case]
    with pytest.raises(BundleError, match=message) as error:
        search_import(owner=None, file=io.BytesIO(make(study)))
    assert type(error.value) is kind
    assert not Search.objects.exists()
