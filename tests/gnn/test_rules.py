from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnn.catalogue import CATALOGUE, build_space, preset_space
from gnn.catalogue.rules import MOST_BUCKETS, catalogue_rules, check_constraints, smallest
from gnn.errors import SpaceError
from gnn.graph import RECENCY_QUANTILES, WEIGHT_LEVELS, WEIGHT_QUANTILES
from gnn.memory import MIB, estimate_bytes
from gnn.parameters import parameter_count
from gnn.plan import Constraints
from gnn.settings import Settings
from gnn.space import Architecture, SearchSpace

SIZES = {"n_users": 50, "n_items": 30, "n_edges": 400, "n_buckets": 5}


def parameters(architecture: Architecture) -> int:
    return parameter_count(Settings.of(architecture), 50, 30, 5)


def every(space: SearchSpace, chosen: dict | None = None, depth: int = 0) -> list[Architecture]:
    """All architectures of a small space."""
    chosen = chosen or {}
    if depth == len(space.decisions):
        return [Architecture.of(chosen)]
    decision = space.decisions[depth]
    if not space.is_active(decision, chosen):
        return every(space, chosen, depth + 1)
    return [found for choice in decision.choices for found in every(space, {**chosen, decision.name: choice}, depth + 1)]


def test_no_graph_has_more_kinds_of_edges_than_assumed():
    assert max(WEIGHT_LEVELS, WEIGHT_QUANTILES) * RECENCY_QUANTILES == MOST_BUCKETS


def test_without_constraints_every_architecture_is_admitted():
    rules = catalogue_rules(Constraints(), **SIZES)
    generator = np.random.default_rng(0)
    space = preset_space("full")
    assert all(rules.admits(space.sample(generator)) for _ in range(20))


def test_spellings_of_one_network_share_a_key():
    rules = catalogue_rules(Constraints(), **SIZES)
    plain, spelled = Architecture.of({"layers": 2}), Architecture.of({"layers": 2, "operator.1": "lightgcn", "activation.1": "relu"})
    assert rules.key(plain) == rules.key(spelled) != rules.key(Architecture.of({"layers": 3}))


def test_projected_features_count_instead_of_ids():
    """Items described by 7 features alone: 50 users and 7 features of 64 numbers, and the items' biases."""
    projected = Architecture.of({"node_dim": 64, "inputs": "features"})
    limit = Constraints(max_parameters=(50 + 7) * 64 + 30)
    assert catalogue_rules(limit, **SIZES, item_width=7).admits(projected)
    assert not catalogue_rules(limit, **SIZES, item_width=8).admits(projected)


def test_edges_count_as_the_most_kinds_there_can_be_unless_told():
    edged = Architecture.of({"edge_dim": 4})
    told = parameter_count(Settings.of(edged), 50, 30, 5)
    assert catalogue_rules(Constraints(max_parameters=told), **SIZES).admits(edged)
    untold = catalogue_rules(Constraints(max_parameters=told), 50, 30, 400)
    assert not untold.admits(edged)
    assert catalogue_rules(Constraints(max_parameters=told + 4 * (MOST_BUCKETS - 5)), 50, 30, 400).admits(edged)


def test_the_limit_itself_is_admitted():
    """80 nodes of 64 numbers and a bias for each of 30 items."""
    plain = Architecture.of({"node_dim": 64})
    assert catalogue_rules(Constraints(max_parameters=80 * 64 + 30), **SIZES).admits(plain)
    assert not catalogue_rules(Constraints(max_parameters=80 * 64 + 29), **SIZES).admits(plain)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_the_way_down_ends_at_the_smallest_of_all(data):
    names = ("edge_dim", "operator", "heads", "activation", "normalisation", "combination", "loss", "scorer", "item_bias")
    ticked = {"node_dim": (8, 16), "layers": (1, 2)}
    for name in names:
        offered = CATALOGUE[name].offered
        ticked[name] = tuple(data.draw(st.lists(st.sampled_from(offered), min_size=1, max_size=2, unique=True), label=name))
    space = build_space(ticked)
    architecture, found = smallest(space, parameters)
    assert found == parameters(architecture)
    assert architecture in space
    if space.size <= 3000:
        assert found == min(map(parameters, every(space)))


def test_the_smallest_of_everything_by_hand():
    """Vectors of 16 and no bias: an objective on cosines has none."""
    assert smallest(preset_space("full"), parameters)[1] == 80 * 16


def test_a_limit_that_nothing_meets_is_named_with_the_smallest_there_is():
    space = preset_space("full")
    check_constraints(space, Constraints(max_parameters=80 * 16), **SIZES)
    with pytest.raises(SpaceError, match=r"at most 1,279 parameters: the smallest has 1,280") as caught:
        check_constraints(space, Constraints(max_parameters=80 * 16 - 1), **SIZES)
    assert caught.value.field == "max_parameters"


def test_limits_known_only_after_training_refuse_nothing_before():
    check_constraints(preset_space("demo"), Constraints(max_latency_ms=1e-9, max_train_seconds=1e-9), **SIZES)


def test_the_estimated_memory_is_limited():
    """One architecture above the limit and one below, as the estimate has it."""
    wide, narrow = Architecture.of({"node_dim": 128}), Architecture.of({"node_dim": 16})
    sizes = {**SIZES, "n_users": 50_000, "n_items": 30_000}
    needs = {architecture: estimate_bytes(Settings.of(architecture), **sizes) / MIB for architecture in (wide, narrow)}
    rules = catalogue_rules(Constraints(max_memory_mib=math.ceil(needs[narrow])), **sizes)
    assert needs[narrow] < needs[wide] / 2
    assert rules.admits(narrow) and not rules.admits(wide)
    assert catalogue_rules(Constraints(max_memory_mib=math.ceil(needs[wide])), **sizes).admits(wide)


def test_memory_that_nothing_stays_within_is_named_with_the_least_there_is():
    space = build_space({"node_dim": (16, 32), "layers": (1, 2)})
    least = min(estimate_bytes(Settings.of(architecture), **SIZES) for architecture in every(space)) / MIB
    check_constraints(space, Constraints(max_memory_mib=math.ceil(least)), **SIZES)
    limit = math.ceil(least) - 1
    with pytest.raises(SpaceError, match=rf"at most {limit} MiB of memory for training: the smallest has {limit + 1}\.") as caught:
        check_constraints(space, Constraints(max_memory_mib=limit), **SIZES)
    assert caught.value.field == "max_memory_mib"


def test_limits_that_only_exclude_each_other_are_named_together():
    """A bilinear score learns more than cosines, but keeps less for the gradient."""
    space = build_space({"scorer": ("cosine", "bilinear")})
    sizes = {**SIZES, "n_users": 5000, "n_items": 3000}
    cosine, bilinear = every(space)
    count = parameter_count(Settings.of(cosine), 5000, 3000, 5)
    mib = math.ceil(estimate_bytes(Settings.of(bilinear), **sizes) / MIB)
    assert count < parameter_count(Settings.of(bilinear), 5000, 3000, 5)
    assert mib < estimate_bytes(Settings.of(cosine), **sizes) / MIB
    with pytest.raises(SpaceError, match=rf"stays within {count:,} parameters and {mib} MiB of memory for training at once") as caught:
        check_constraints(space, Constraints(max_parameters=count, max_memory_mib=mib), **sizes)
    assert caught.value.field == "max_parameters"
