"""Attributes and texts in searches: what workers train on, on a dataset where only attributes tell what new items are like."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.db import connection

from gnn.catalogue import build_space
from gnn.errors import SpaceError
from gnn.plan import Constraints, SearchPlan
from gnn.protocol import Protocol
from gnn.text_features import pack_features, unpack_features
from searchworker import features, tasks, training
from searchworker.prepared import PreparedCache
from tests.planted_dataset import GROUPS, NEW, OLD, planted_dataset
from tests.searchworker.searching import run_everything, start
from tests.text_model import HAS_LIBRARY, HAS_MODEL, WITHOUT_MODEL, model_folder
from webapp.enums import FileKind, RunState, SearchState, TrainedOn
from webapp.models import Blob, Dataset, Search
from webapp.selectors.models import bundle_opened
from webapp.services.dataset_removal import dataset_delete
from webapp.services.models import model_register

pytestmark = pytest.mark.django_db

PROTOCOL = Protocol(split="predefined", k=3, metric="recall", max_epochs=25, patience=25, finalists=1, finalist_seeds=1)
NETWORK: dict[str, Any] = {"node_dim": (16,), "layers": (1,), "operator": ("lightgcn",), "learning_rate": (0.05,), "dropout": (0.0,)}
THREE = build_space(NETWORK | {"inputs": ("ids", "features", "both")})
FEATURES_ALONE = build_space(NETWORK | {"inputs": ("features",)})
MODEL = "a/model-that-nobody-has"


def reading(model: str = MODEL) -> SearchPlan:
    return SearchPlan(random_arm=False, text_model=model)


def start_planted(dataset: Dataset, **changes: Any) -> Search:
    return start(**({"dataset": dataset, "space": THREE, "protocol": PROTOCOL, "controller": "random"} | changes))


def test_attributes_place_items_that_nobody_has_used_yet() -> None:
    dataset = planted_dataset()
    assert dataset.state == "ready", dataset.message
    search = run_everything(start_planted(dataset))
    assert search.state == SearchState.FINISHED, search.message
    reached = {trial.architecture["inputs"]: trial.scores["recall@3"] for trial in search.trials.all()}
    assert set(reached) == {"ids", "features", "both"}
    # A user has used 6 of 36 items. Chance puts the one that counts among the first 3 of the others for a tenth of the users.
    assert reached["ids"] < 0.3
    assert reached["features"] > 0.9
    assert reached["both"] > reached["ids"] + 0.3
    run = search.finalist_runs.get()
    assert run.trial.architecture["inputs"] == "features"
    baselines = [baseline.test_scores["recall@3"] for baseline in search.baselines.all()]
    assert run.test_scores["recall@3"] > max(baselines) + 0.3


def test_a_model_trained_on_everything_reads_the_attributes_too(tmp_path: Path) -> None:
    """Its architecture embeds nothing else of items, so that all of a group are more alike than any of two groups."""
    search = run_everything(start_planted(planted_dataset("group"), space=FEATURES_ALONE, planned_trials=1))
    version = model_register(owner=None, name="films", trial_id=search.trials.get().pk, trained_on=TrainedOn.ALL)
    tasks.build_model(version.build.pk)
    version.refresh_from_db()
    model = bundle_opened(version, tmp_path).model
    group = np.array([int(item.removeprefix("i")) % GROUPS for item in model.item_ids])
    cosines, together = model.directions @ model.directions.T, group[:, None] == group
    assert cosines[together].min() > cosines[~together].max()


def test_without_attributes_ids_are_the_only_inputs_and_each_network_is_trained_once() -> None:
    space = build_space(NETWORK | {"inputs": ("ids", "features", "both"), "node_dim": (8, 16)})
    search = run_everything(start(space=space, controller="random", planned_trials=9))
    assert sorted((trial.architecture["inputs"], trial.architecture["node_dim"]) for trial in search.trials.all()) == [
        ("ids", 8),
        ("ids", 16),
    ]
    assert {trial.state for trial in search.trials.all()} == {RunState.COMPLETED}
    with pytest.raises(SpaceError, match="'inputs' can only be features, but the dataset has no attributes"):
        start(space=FEATURES_ALONE)


def test_limits_count_what_projects_attributes() -> None:
    """Ids are 16 * (48 + 36) + 36 = 1,380 numbers, and attributes add to them."""
    plan = SearchPlan(random_arm=False, constraints=Constraints(max_parameters=1_400))
    search = run_everything(start_planted(planted_dataset(), plan=plan, protocol=PROTOCOL.model_copy(update={"max_epochs": 1})))
    assert {trial.architecture["inputs"]: trial.parameters for trial in search.trials.all()} == {"ids": 1_380, "features": 36 + 16 * WIDTH}


WIDTH = 4 + 4 + 4 + 9 + 1
"""Numbers of attributes: clubs of users; groups of items, the tags that say so, nine tags of chance, a size."""


def test_the_hash_of_features_tells_contents_and_readings_apart() -> None:
    whole, plain = planted_dataset(), planted_dataset("group", "tags")
    assert features.features_hash(start_planted(whole, space=build_space(NETWORK))) == "", "no network would embed them"
    hashes = [features.features_hash(start_planted(dataset)) for dataset in (whole, plain)]
    same_again = planted_dataset("group", "tags")
    assert features.features_hash(start_planted(same_again)) == hashes[1]
    file = same_again.files.get(kind=FileKind.ITEM_ATTRIBUTES)
    file.mapping["attributes"][0]["type"] = "multi"
    file.save()
    assert len({*hashes, features.features_hash(start_planted(same_again))}) == 3


def test_prepared_data_are_kept_apart_by_their_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_prepared", PreparedCache())
    dataset = planted_dataset()
    graphs = []
    for space in (THREE, build_space(NETWORK), FEATURES_ALONE):
        run = start_planted(dataset, space=space).baselines.select_related("search__dataset").first()
        assert run is not None
        graphs.append(training.prepared_data(run, PROTOCOL).training.graph)
    assert graphs[0] is graphs[2]
    assert graphs[0].item_features is not None and graphs[0].user_features is not None
    assert (graphs[0].item_features.shape[1], graphs[0].user_features.shape[1]) == (WIDTH - 4, 4)
    assert graphs[1].item_features is None and graphs[1].user_features is None


def keep_groups_as_texts(search: Search) -> None:
    """As if a language model had read of each item which group it is of."""
    dataset = search.dataset
    ids = training.dataset_interactions(dataset).item_ids
    texts = features.texts_of(features.attribute_tables(dataset, FileKind.ITEM_ATTRIBUTES), ids)
    groups = np.eye(GROUPS, dtype=np.float32)[[int(name[1:]) % GROUPS for name in ids]]
    features.search_keep_texts(search, key=features.content_key(MODEL, texts), features=pack_features(groups))


def test_a_worker_without_the_language_model_uses_what_another_read() -> None:
    dataset = planted_dataset("plot")
    keep_groups_as_texts(start_planted(dataset, space=FEATURES_ALONE, plan=reading()))
    search = run_everything(start_planted(dataset, space=FEATURES_ALONE, plan=reading()))
    assert search.state == SearchState.FINISHED, search.message
    assert search.trials.get().scores["recall@3"] > 0.9
    assert len(set(Search.objects.values_list("text_key", "text_blob"))) == 1


def test_texts_that_cannot_be_read_end_the_search_with_the_reason(tmp_path: Any) -> None:
    search = run_everything(start_planted(planted_dataset(), plan=reading(str(tmp_path))))
    assert search.state == SearchState.FAILED
    assert ("cannot be loaded" if HAS_LIBRARY else "pip install -r requirements-text.txt") in search.message
    assert set(search.baselines.values_list("state", "failure")) == {(RunState.STOPPED, "")}
    assert set(search.trials.values_list("state", flat=True)) <= {RunState.STOPPED}
    other = run_everything(start_planted(search.dataset))
    assert other.state == SearchState.FINISHED, "without texts the same dataset is searched as before"


@pytest.mark.django_db(transaction=True)
def test_texts_are_read_once_by_workers_that_start_together(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Lengths:
        def __init__(self, model: str, device: str) -> None:
            assert model == MODEL

        def encode(self, texts: list[str]) -> Any:
            asked.append(len(texts))
            return np.array([[len(text)] for text in texts], dtype=np.float32)

    monkeypatch.setattr(features, "SentenceEncoder", Lengths)
    dataset = planted_dataset("plot")
    searches = [start_planted(dataset, space=FEATURES_ALONE, plan=reading()) for _ in range(4)]

    def read(search: Search) -> str:
        try:
            return features.features_hash(search)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(read, searches))) == 1
    assert asked == [OLD + NEW]
    (name,) = set(Search.objects.values_list("text_blob", flat=True))
    with default_storage.open(name) as file:
        assert unpack_features(file.read()).shape == (OLD + NEW, 1)
    Search.objects.update(state=SearchState.STOPPED)
    dataset_delete(dataset_id=dataset.pk, with_searches=True)
    assert not Blob.objects.filter(name=name).exists()


@pytest.mark.skipif(not HAS_MODEL, reason=WITHOUT_MODEL)
def test_a_language_model_places_items_by_their_texts() -> None:
    search = run_everything(start_planted(planted_dataset("plot"), plan=reading(model_folder())))
    assert search.state == SearchState.FINISHED, search.message
    reached = {trial.architecture["inputs"]: trial.scores["recall@3"] for trial in search.trials.all()}
    assert reached["ids"] < 0.3
    assert reached["features"] > 0.9
    assert len(search.text_blob) == 64
