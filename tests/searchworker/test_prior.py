from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnn.catalogue import CATALOGUE
from gnn.meta_features import MetaFeatures
from gnn.space import Architecture
from searchworker.prior import BEST, LEAST_WEIGHT, SCALES, EarlierSearch, examples, similar

HERE = MetaFeatures(log_users=3.0, log_items=3.2, log_density=-1.2, user_gini=0.5, item_gini=0.6, clustering=0.3)
FAR = MetaFeatures(log_users=6.0, log_items=5.0, log_density=-4.0, user_gini=0.8, item_gini=0.9, clustering=0.05)


def of_size(dim: int) -> Architecture:
    return Architecture.of({"node_dim": dim})


def search(features: MetaFeatures, *rewards: float, first: int = 1) -> EarlierSearch:
    """Architectures of sizes first, first + 1, ... with these rewards."""
    return EarlierSearch(features, [(of_size(first + n), reward) for n, reward in enumerate(rewards)])


def test_the_same_dataset_resembles_itself_wholly() -> None:
    assert similar(HERE, [HERE]) == [1.0]


def test_the_kernel_by_hand() -> None:
    """Ten times the users is one scale away, ten times both users and items is two."""
    larger = replace(HERE, log_users=4.0)
    assert similar(HERE, [larger, replace(larger, log_items=4.2)]) == pytest.approx([math.exp(-0.5), math.exp(-1)])
    everywhere = MetaFeatures(**{name: value + SCALES.to_json()[name] for name, value in HERE.to_json().items()})
    assert similar(HERE, [everywhere]) == pytest.approx([math.exp(-3)])


@given(st.lists(st.floats(-1, 1), min_size=6, max_size=6), st.lists(st.floats(-1, 1), min_size=6, max_size=6))
def test_resemblance_is_mutual(one: list[float], other: list[float]) -> None:
    first, second = MetaFeatures(*one), MetaFeatures(*other)
    assert similar(first, [second]) == pytest.approx(similar(second, [first]))
    assert 0 <= similar(first, [second])[0] <= 1


def test_the_better_half_comes_with_falling_weights() -> None:
    """Of five trials the best three, whatever their order: sizes 2, 4 and 1."""
    found = examples(HERE, [search(HERE, 0.3, 0.9, 0.1, 0.5, 0.2)])
    assert [(architecture["node_dim"], round(weight, 6)) for architecture, weight in found] == [(2, 1.0), (4, 0.666667), (1, 0.333333)]


def test_a_long_search_gives_no_more_than_its_best() -> None:
    assert len(examples(HERE, [search(HERE, *map(float, range(100)))])) == BEST


def test_searches_on_unlike_datasets_teach_nothing() -> None:
    assert examples(HERE, [search(FAR, 0.9, 0.8)]) == []


def test_the_nearer_dataset_weighs_more() -> None:
    near = replace(HERE, log_users=3.3)
    found = examples(HERE, [search(near, 0.1, 0.0), search(HERE, 0.1, 0.0, first=50)])
    assert [architecture["node_dim"] for architecture, _ in found] == [50, 1]
    assert found[0][1] == 1.0
    assert LEAST_WEIGHT < found[1][1] < 1


def test_one_network_is_one_example_with_its_largest_weight() -> None:
    spelled = Architecture.of({"node_dim": 7, "dropout": CATALOGUE["dropout"].default, "activation.1": "relu"})
    searches = [EarlierSearch(HERE, [(of_size(3), 0.9), (spelled, 0.5), (of_size(4), 0.2)]), EarlierSearch(HERE, [(of_size(7), 0.4)])]
    assert [(a["node_dim"], weight) for a, weight in examples(HERE, searches)] == [(3, 1.0), (7, 1.0)]


def test_without_earlier_searches_there_are_no_examples() -> None:
    assert examples(HERE, []) == []
    assert examples(HERE, [EarlierSearch(HERE, [])]) == []
