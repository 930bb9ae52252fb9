"""What becomes of a space on a dataset with, and on one without, attributes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gnn.catalogue import build_space, preset_space
from gnn.catalogue.canonical import canonical
from gnn.catalogue.inputs import MOST_TEXT_WIDTH, feature_sizes, offers_features, space_on
from gnn.catalogue.rules import catalogue_rules, check_constraints
from gnn.errors import SpaceError
from gnn.plan import Constraints, SearchPlan
from gnn.side_profile import Described
from gnn.space import SearchSpace

NOTHING = Described(user_width=0, item_width=0, item_texts=())
TEXTS = replace(NOTHING, item_texts=("plot",))
READING = SearchPlan(text_model="any")
SPACE = build_space({"node_dim": (16, 32), "inputs": ("ids", "features", "both"), "learning_rate": (0.01,)})


@pytest.mark.parametrize("described", [NOTHING, TEXTS])
def test_without_features_nothing_is_sampled_in_vain(described: Described) -> None:
    space = space_on(SPACE, described, SearchPlan())
    assert not offers_features(space.to_json())
    assert space.size == 2
    generator = np.random.default_rng(0)
    keys = {canonical(space.sample(generator)).key for _ in range(50)}
    assert len(keys) == space.size, "each spelling is a network of its own"
    assert keys == {canonical(build_space({"node_dim": (size,), "learning_rate": (0.01,)}).sample(generator)).key for size in (16, 32)}


@pytest.mark.parametrize(
    ("described", "plan"),
    [
        (replace(NOTHING, user_width=3), SearchPlan()),
        (replace(NOTHING, item_width=1), SearchPlan()),
        (TEXTS, READING),
    ],
)
def test_with_features_the_space_stays_as_it_is(described: Described, plan: SearchPlan) -> None:
    assert space_on(SPACE, described, plan).to_json() == SPACE.to_json()


def test_the_preset_of_attributes_is_the_demo_without_any() -> None:
    plain = space_on(preset_space("attributes"), NOTHING, SearchPlan())
    assert plain.size == preset_space("demo").size
    assert offers_features(preset_space("attributes").to_json())
    assert not offers_features(preset_space("full").to_json())


@pytest.mark.parametrize(
    ("described", "remedy"), [(NOTHING, "add a table of item or user attributes"), (TEXTS, "name a language model that reads its texts")]
)
def test_a_space_of_features_alone_is_refused(described: Described, remedy: str) -> None:
    space = build_space({"inputs": ("features", "both"), "node_dim": (16, 32)})
    with pytest.raises(SpaceError, match=f"'inputs' can only be features or both, but the dataset has no attributes.*{remedy}") as error:
        space_on(space, described, SearchPlan())
    assert error.value.field == "inputs"


@pytest.mark.parametrize(
    ("space", "described", "message"),
    [
        (SPACE, replace(NOTHING, item_width=4), "has no item attribute that is free text"),
        (preset_space("demo"), TEXTS, "texts would be read in vain"),
    ],
)
def test_a_language_model_without_use_is_refused(space: SearchSpace, described: Described, message: str) -> None:
    with pytest.raises(SpaceError, match=message) as error:
        space_on(space, described, READING)
    assert error.value.field == "text_model"


def test_what_only_features_make_active_goes_with_them() -> None:
    document: dict[str, Any] = {
        "schema": 1,
        "decisions": [
            {"name": "inputs", "choices": ["ids", "features"]},
            {"name": "dropout", "choices": [0.1, 0.2], "when": {"inputs": ["features"]}},
            {"name": "l2", "choices": [0.0, 1e-5], "when": {"inputs": ["ids"]}},
            {"name": "loss", "choices": ["softmax", "bpr"], "when": {"dropout": [0.1]}},
            {"name": "layers", "choices": [1, 2], "when": {"inputs": ["features"]}},
            {"name": "operator", "choices": ["gcn", "gat"], "per": "layers"},
        ],
    }
    space = space_on(SearchSpace.from_json(document), NOTHING, SearchPlan())
    assert [(spec.name, spec.choices) for spec in space.specs] == [("inputs", ("ids",)), ("l2", (0.0, 1e-5))]


def test_limits_count_what_projects_features() -> None:
    described = Described(user_width=5, item_width=20, item_texts=("plot",))
    assert feature_sizes(described, SearchPlan()) == {"user_width": 5, "item_width": 20}
    sizes = feature_sizes(described, READING)
    assert sizes == {"user_width": 5, "item_width": 20 + MOST_TEXT_WIDTH}
    # 10 users and 30 items: ids of size 16 are 640 numbers, features 16 * (5 + 20 + 1024) = 16,784 instead.
    space = build_space({"node_dim": (16,), "inputs": ("features",), "item_bias": ("none",)})
    only = space.sample(np.random.default_rng(0))
    assert catalogue_rules(Constraints(max_parameters=16_784), 10, 30, 100, n_buckets=1, **sizes).admits(only)
    with pytest.raises(SpaceError, match="the smallest has 16,784"):
        check_constraints(space, Constraints(max_parameters=16_783), 10, 30, 100, n_buckets=1, **sizes)
