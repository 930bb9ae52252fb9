from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnn.catalogue import CATALOGUE, preset_space
from gnn.graph import build_graph
from gnn.model import build_model
from gnn.parameters import parameter_count
from gnn.settings import Settings
from gnn.space import Architecture
from tests.gnn.toy import random_interactions


def built_and_counted(architecture: Architecture, seed: int = 0) -> tuple[int, int]:
    interactions = random_interactions(seed)
    graph = build_graph(interactions, np.arange(len(interactions)))
    counted = parameter_count(Settings.of(architecture), graph.n_users, graph.n_items, graph.n_buckets)
    return build_model(architecture, graph, seed).parameter_count, counted


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_the_count_is_that_of_the_built_network(seed):
    built, counted = built_and_counted(preset_space("full").sample(np.random.default_rng(seed)), seed % 5)
    assert counted == built


@pytest.mark.parametrize("operator", CATALOGUE["operator"].offered)
@pytest.mark.parametrize("edge_dim", [0, 3])
def test_every_operator_is_counted(operator, edge_dim):
    values = {"layers": 1, "operator.1": operator, "node_dim": 12, "edge_dim": edge_dim, "heads.1": 4, "activation.1": "prelu"}
    built, counted = built_and_counted(Architecture.of(values))
    assert counted == built


@pytest.mark.parametrize("combination", CATALOGUE["combination"].offered)
@pytest.mark.parametrize("scorer", CATALOGUE["scorer"].offered)
def test_every_combination_and_scorer_is_counted(combination, scorer):
    built, counted = built_and_counted(Architecture.of({"node_dim": 6, "layers": 3, "combination": combination, "scorer": scorer}))
    assert counted == built


def test_a_plain_network_by_hand():
    """13 users and 9 items of 64 numbers each, and a bias for every item."""
    assert parameter_count(Settings.of(Architecture.of({"node_dim": 64})), 13, 9, 20) == 22 * 64 + 9
