"""Registering, promoting, rolling back, archiving and importing versions of models."""

from __future__ import annotations

import io
import os
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.db import IntegrityError, connection, transaction

from gnn import bundle
from gnn.bundle import load
from gnn.bundle.document import ModelDocument
from gnn.bundle.members import pack, seal
from gnn.errors import BundleTampered
from tests.gnn.test_bundle import document_of
from tests.webapp.factories import make_finalist, make_search, make_trials
from webapp.enums import ModelState, SearchState, TrainedOn
from webapp.models import Blob, Model, ModelBuild, ModelVersion, Promotion, Search
from webapp.selectors.models import (
    KEPT_UNPACKED,
    SETTLED_SECONDS,
    before_promotion,
    bundle_opened,
    model_rows,
    models_page,
    promoted_version,
    version_of,
    versions_of,
)
from webapp.services.errors import Conflict
from webapp.services.models import model_archive, model_import, model_promote, model_register, model_roll_back
from webapp.services.runs import run_claim

pytestmark = pytest.mark.django_db


def bundle_file(seed: int = 0, *, name: str = "Films") -> io.BytesIO:
    """The zip file of a small model whose embeddings are random."""
    generator = np.random.default_rng(seed)
    users, items = generator.normal(size=(4, 3)), generator.normal(size=(6, 3))
    trained = bundle.TrainedModel(
        users=users,
        items=items,
        seen_indptr=np.array([0, 2, 3, 5, 6]),
        seen_items=np.array([0, 1, 2, 3, 4, 5]),
        user_ids=pl.Series(["a", "b", "c", "d"]),
        item_ids=pl.Series([f"i{item}" for item in range(6)]),
        document=ModelDocument.from_json(document_of(users=4, items=6, dim=3, item_bias=False, name=name)),
    )
    file = io.BytesIO()
    with tempfile.TemporaryDirectory() as place:
        bundle.save(trained, Path(place))
        pack(Path(place), file)
    file.seek(0)
    return file


def versions(count: int) -> list[ModelVersion]:
    return [model_import(owner=None, file=bundle_file(seed)) for seed in range(count)]


def states() -> list[str]:
    return list(ModelVersion.objects.order_by("number").values_list("state", flat=True))


def finished_search() -> Search:
    search = make_search(state=SearchState.FINISHED, message="PPO's best wins.")
    first, second = make_trials(search, [0.3, 0.2])
    make_finalist(first, [0.28, 0.29])
    return search


def test_unpacked_bundles_of_before_are_forgotten(tmp_path: Path) -> None:
    """The promoted one, those used within the hour, and as many others as are kept."""
    before = time.time() - 2 * SETTLED_SECONDS
    rows = versions(4)
    model_promote(owner=None, version_id=rows[0].pk)
    oldest = [bundle_opened(row, tmp_path).folder for row in rows[:3]]
    left = tmp_path / "tmp-of-a-process-that-died"
    left.mkdir()
    others = [tmp_path / f"{number:064d}" for number in range(KEPT_UNPACKED)]
    for age, folder in enumerate([*reversed(others), left, *oldest[:2]]):
        folder.mkdir(exist_ok=True)
        os.utime(folder, (before - age, before - age))
    mapped = load(oldest[1]).model.items
    os.utime(oldest[1], (before - 99, before - 99))
    expected = mapped.copy()
    newest = bundle_opened(rows[3], tmp_path).folder
    kept = set(tmp_path.iterdir())
    assert kept == {oldest[0], oldest[2], newest, *others[2:]}, "two of the kept ones were used just now"
    np.testing.assert_array_equal(mapped, expected)
    assert bundle_opened(rows[1], tmp_path).digest == rows[1].digest, "it is unpacked again when it is wanted"


def test_registering_numbers_versions_and_queues_builds(user: User) -> None:
    search = finished_search()
    trial = search.trials.get(number=1)
    version = model_register(owner=user, name="films", trial_id=trial.pk, trained_on=TrainedOn.TRAIN)
    other = model_register(owner=user, name="films", trial_id=trial.pk, trained_on=TrainedOn.ALL)
    assert (version.number, other.number) == (1, 2)
    assert (version.build.planned_epochs, version.build.seed) == (None, 0)
    assert version_of("films", 1).state == ModelState.BUILDING
    assert version_of("films", 1).message == "It waits for a worker."
    assert run_claim(ModelBuild, run_id=version.build.pk, worker="here/1") is not None
    assert run_claim(ModelBuild, run_id=version.build.pk, worker="there/1") is None, "one worker builds it"
    assert version_of("films", 1).message == "A worker has begun to train it."


@pytest.mark.parametrize("name", ["", "two words", "a/b", "ä", "x" * 61])
def test_a_name_that_cannot_be_part_of_an_address_is_refused(name: str) -> None:
    trial = finished_search().trials.get(number=1)
    with pytest.raises(Conflict, match="letters, digits, hyphens"):
        model_register(owner=None, name=name, trial_id=trial.pk, trained_on=TrainedOn.ALL)
    assert not Model.objects.exists()


def test_only_tested_finalists_of_finished_searches_are_registered() -> None:
    search = finished_search()
    with pytest.raises(Conflict, match="Trial 2 was not tested as a finalist"):
        model_register(owner=None, name="films", trial_id=search.trials.get(number=2).pk, trained_on=TrainedOn.ALL)
    Search.objects.update(state=SearchState.FINISHING)
    with pytest.raises(Conflict, match="can be registered when it has finished"):
        model_register(owner=None, name="films", trial_id=search.trials.get(number=1).pk, trained_on=TrainedOn.ALL)


def test_a_version_whose_search_went_before_it_was_built_says_so() -> None:
    search = finished_search()
    model_register(owner=None, name="films", trial_id=search.trials.get(number=1).pk, trained_on=TrainedOn.ALL)
    search.delete()
    row = version_of("films", 1)
    assert (row.state, row.message) == (ModelState.FAILED, "Its search was deleted before it was built.")


def test_promote_and_roll_back(user: User) -> None:
    first, second, third = versions(3)
    assert promoted_version("films") is None
    with pytest.raises(Conflict, match="none to go back to"):
        model_roll_back(model_id=first.model_id)
    for version in (first, second, third):
        model_promote(owner=user, version_id=version.pk)
        assert promoted_version("films") == version
    assert states() == ["ready", "ready", "promoted"]
    model_promote(owner=user, version_id=third.pk)
    assert Promotion.objects.count() == 3, "promoting what is promoted changes nothing"
    assert model_roll_back(model_id=first.model_id) == second
    assert states() == ["ready", "promoted", "ready"]
    assert model_roll_back(model_id=first.model_id) == first
    with pytest.raises(Conflict, match="none to go back to"):
        model_roll_back(model_id=first.model_id)
    assert states() == ["promoted", "ready", "ready"]


def test_a_roll_back_passes_over_what_was_archived_and_what_is_served() -> None:
    first, second, third = versions(3)
    for version in (first, second, third):
        model_promote(owner=None, version_id=version.pk)
    model_archive(version_id=second.pk)
    assert before_promotion(first.model) == first
    assert model_roll_back(model_id=first.model_id) == first
    for version in (third, first):
        model_promote(owner=None, version_id=version.pk)
    assert model_roll_back(model_id=first.model_id) == third
    assert model_roll_back(model_id=first.model_id) == first


def test_archiving_and_taking_out_again() -> None:
    first, second = versions(2)
    model_promote(owner=None, version_id=first.pk)
    with pytest.raises(Conflict, match="Promote another one first"):
        model_archive(version_id=first.pk)
    model_archive(version_id=second.pk)
    assert states() == ["promoted", "archived"]
    model_promote(owner=None, version_id=second.pk)
    assert states() == ["ready", "promoted"]


def test_what_is_not_built_is_neither_promoted_nor_archived() -> None:
    trial = finished_search().trials.get(number=1)
    version = model_register(owner=None, name="films", trial_id=trial.pk, trained_on=TrainedOn.ALL)
    for act in (lambda: model_promote(owner=None, version_id=version.pk), lambda: model_archive(version_id=version.pk)):
        with pytest.raises(Conflict, match="is not built"):
            act()


def test_the_database_holds_one_promoted_version_of_a_model() -> None:
    versions(2)
    with pytest.raises(IntegrityError), transaction.atomic():
        ModelVersion.objects.update(state=ModelState.PROMOTED)


@pytest.mark.django_db(transaction=True)
def test_versions_promoted_at_the_same_time_follow_each_other() -> None:
    some = versions(4)
    failures: list[BaseException] = []

    def promote(version: ModelVersion) -> None:
        try:
            model_promote(owner=None, version_id=version.pk)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=promote, args=(version,)) for version in some]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert Promotion.objects.count() == 4
    assert promoted_version("films") == Promotion.objects.latest("id").version


def test_an_imported_model_is_the_one_that_was_exported(tmp_path: Path) -> None:
    file = bundle_file()
    content = file.getvalue()
    version = model_import(owner=None, file=file)
    assert (version.model.name, version.number, version.state) == ("films", 1, ModelState.READY)
    with default_storage.open(version.bundle_blob) as stored:
        assert stored.read() == content
    opened = bundle_opened(version, tmp_path / "cache")
    assert opened.digest == version.digest
    assert opened.document == ModelDocument.from_json(version.document)
    assert bundle_opened(version, tmp_path / "cache").folder == opened.folder, "the second process finds it there"
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [version.digest]
    assert model_import(owner=None, file=io.BytesIO(content)) == version, "the same again is no second version"
    assert model_import(owner=None, file=io.BytesIO(content), name="other").model.name == "other"
    assert Blob.objects.count() == 1


def test_a_bundle_that_is_refused_leaves_nothing(tmp_path: Path) -> None:
    content = bytearray(bundle_file().getvalue())
    content[5000] ^= 1
    with pytest.raises(BundleTampered):
        model_import(owner=None, file=io.BytesIO(content))
    assert not (Model.objects.exists() or Blob.objects.exists())


def test_what_changed_in_the_cache_is_not_served(tmp_path: Path) -> None:
    version = versions(1)[0]
    folder = bundle_opened(version, tmp_path).folder
    content = (folder / "LICENCES.md").read_text()
    (folder / "LICENCES.md").write_text(content.replace("Apache", "Nobody"))
    with pytest.raises(BundleTampered, match=r"LICENCES\.md"):
        bundle_opened(version, tmp_path)
    seal(folder)
    with pytest.raises(BundleTampered, match="another bundle"):
        bundle_opened(version, tmp_path)


def test_lists_show_the_newest_and_the_promoted_version(django_assert_num_queries: object) -> None:
    first, second = versions(2)
    model_import(owner=None, file=bundle_file(9, name="Books"))
    model_promote(owner=None, version_id=first.pk)
    with django_assert_num_queries(4):  # type: ignore[operator]
        rows = model_rows(list(models_page()))
    assert [(row.model.name, row.n_versions, row.newest.version.number) for row in rows] == [("books", 1, 1), ("films", 2, 2)]
    assert [row.promoted and row.promoted.version for row in rows] == [None, first]
    assert [row.version for row in versions_of(first.model)] == [second, first]
    assert [row.model.name for row in model_rows(list(models_page(text="boo")))] == ["books"]
