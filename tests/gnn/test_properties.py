"""Whatever space and whatever data: what can be sampled trains and propagates, or is refused by name."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gnn.catalogue import PRESETS, build_space, preset_space
from gnn.errors import DataError, Diverged, GnnError, SpaceError
from gnn.evaluate import EmbeddingScorer, build_targets, evaluate_validation
from gnn.graph import build_graph
from gnn.model import Recommender, build_model
from gnn.settings import Settings
from gnn.space import Architecture, SearchSpace
from gnn.train import TrainConfig, fit
from gnn.trainer import Trainer
from tests.gnn.toy import make_interactions

RELAXED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@st.composite
def spaces(draw) -> SearchSpace:
    """Some of the decisions of the full preset, with some of their choices; the whole preset now and then."""
    ticked = {}
    for name, offered in PRESETS["full"].items():
        # What is repeated per layer needs the number of layers.
        if name == "layers" or draw(st.booleans()):
            ticked[name] = tuple(draw(st.lists(st.sampled_from(offered), min_size=1, max_size=len(offered), unique=True)))
    return draw(st.sampled_from([build_space(ticked), preset_space("full")]))


@st.composite
def tables(draw):
    """Interactions of few users and items, some of whom may have none or all, weights of any sign, and features."""
    n_users, n_items = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    cells = [(user, item) for user in range(n_users) for item in range(n_items)]
    pairs = draw(st.lists(st.sampled_from(cells), min_size=1, max_size=30))
    weights = st.floats(-5, 5, width=32) | st.just(0.0)
    weight = draw(st.none() | st.lists(weights, min_size=len(pairs), max_size=len(pairs)))
    timestamp = draw(st.none() | st.lists(st.integers(0, 9), min_size=len(pairs), max_size=len(pairs)))
    return make_interactions(pairs, n_users, n_items, weight, timestamp), (n_users, n_items)


def sampled(space: SearchSpace, seed: int) -> Architecture:
    return space.sample(np.random.default_rng(seed))


@RELAXED
@given(space=spaces(), table=tables(), seed=st.integers(0, 2**32 - 1), featured=st.booleans())
def test_every_sampled_architecture_trains_a_step_or_says_what_the_data_lack(space, table, seed, featured):
    interactions, (n_users, n_items) = table
    values = np.random.default_rng(seed).standard_normal((n_items, 3)) if featured else None
    graph = build_graph(interactions, np.arange(len(interactions)), item_features=values)
    choices = sampled(space, seed).to_json() | ({"inputs": "both"} if featured else {})
    architecture = Architecture.of(choices)
    model = build_model(architecture, graph, 0)
    nothing_held_out = None  # a step of training looks at no validation data
    if n_items == 1:
        with pytest.raises(DataError, match="catalogue has 1 item"):
            Trainer(model, graph, nothing_held_out, 0)
        return
    try:
        trainer = Trainer(model, graph, nothing_held_out, 0)
    except DataError as error:
        assert f"seen all {n_items} items" in str(error)
        assert graph.user_degree.max() == n_items and set(graph.user_degree.tolist()) <= {0, n_items}
        return
    assert np.isfinite(trainer.train_epoch())
    users, items = trainer.embeddings()
    assert (len(users), len(items)) == (n_users, n_items)
    assert torch.isfinite(users).all() and torch.isfinite(items).all()


@RELAXED
@given(space=spaces(), table=tables(), seed=st.integers(0, 2**32 - 1))
def test_every_sampled_architecture_propagates_to_users_and_items(space, table, seed):
    """A node that has an edge follows the inputs of its neighbours, on both sides, unless all layers are the identity."""
    interactions, (n_users, _) = table
    graph = build_graph(interactions, np.arange(len(interactions)))
    model = build_model(sampled(space, seed), graph, 0)
    propagates = any(layer.operator != "identity" for layer in model.settings.layers)
    user = int(graph.user_degree.argmax())
    item = int(graph.item_degree.argmax())
    for node, others in ((user, slice(n_users, None)), (n_users + item, slice(n_users))):
        moved = follow(model, node, others)
        assert np.isfinite(moved)
        assert (moved > 0) == propagates


def follow(model: Recommender, node: int, others: slice) -> float:
    """How far the outputs of a node move when the inputs of the other side do."""
    with torch.no_grad():
        before = torch.stack([output[node] for output in model.propagate(None)[1:]])
        model.nodes[others] += torch.randn(model.nodes[others].shape, generator=torch.Generator().manual_seed(1))
        after = torch.stack([output[node] for output in model.propagate(None)[1:]])
    return float((after - before).abs().max())


@settings(max_examples=20, deadline=None)
@given(k=st.integers(1, 30), table=tables())
def test_lists_longer_than_the_catalogue_hold_all_of_it(k, table):
    interactions, (n_users, n_items) = table
    graph = build_graph(interactions, np.arange(1))
    try:
        targets = build_targets(interactions, np.arange(len(interactions)), graph)
    except DataError as error:
        assert f"None of {len(interactions)} held-out interactions" in str(error)
        return
    generator = torch.Generator().manual_seed(0)
    scorer = EmbeddingScorer(torch.randn(n_users, 3, generator=generator), torch.randn(n_items, 3, generator=generator))
    values = evaluate_validation(scorer, graph, targets, (k, 100)).values
    assert values["recall@100"] == pytest.approx(1)
    assert 0 <= values[f"recall@{k}"] <= 1 + 1e-9


PAIRS = [(0, 0), (0, 1), (1, 1), (1, 2), (2, 0)]


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1.0, np.nan, 2.0, 3.0, 1.0], "1 of 5 training interactions.*nan at interaction 1"),
        ([1.0, 1.0, np.inf, 3.0, -np.inf], "2 of 5 training interactions.*inf at interaction 2"),
    ],
)
def test_weights_that_are_not_finite_are_refused(weight, message):
    with pytest.raises(DataError, match=message):
        build_graph(make_interactions(PAIRS, 3, 3, weight), np.arange(5))


def test_weights_of_any_finite_value_are_kinds_of_edges():
    graph = build_graph(make_interactions(PAIRS, 3, 3, [0.0, -2.0, 0.0, 1.5, -2.0]), np.arange(5))
    assert graph.n_buckets == 3 and torch.isfinite(graph.plain.values).all()


def test_a_graph_without_edges_is_refused():
    with pytest.raises(DataError, match="no training interaction"):
        build_graph(make_interactions(PAIRS, 3, 3), np.array([], dtype=np.int64))


def test_users_without_held_out_items_are_left_out_of_the_validation():
    interactions = make_interactions([*PAIRS, (0, 2), (1, 1)], 3, 3)
    graph = build_graph(interactions, np.arange(5))
    # What user 1 has left was seen in training; user 2 has nothing.
    assert build_targets(interactions, np.array([5, 6]), graph).users.tolist() == [0]
    with pytest.raises(DataError, match="None of 1 held-out interactions"):
        build_targets(interactions, np.array([6]), graph)


def test_a_catalogue_of_one_item_is_refused():
    graph = build_graph(make_interactions([(0, 0), (1, 0)], 2, 1), np.arange(2))
    with pytest.raises(DataError, match="The catalogue has 1 item"):
        Trainer(build_model(Architecture.of({}), graph, 0), graph, None, 0)


@pytest.mark.parametrize(
    ("decisions", "values"),
    [
        ({"node_dim": 0}, ("node_dim", "from 1 to 4096", "is 0")),
        ({"edge_dim": -1}, ("edge_dim", "from 0 to 512", "is -1")),
        ({"operator.1": "transformer"}, ("operator", "'transformer'", "lightgcn")),
        ({"layers": 9}, ("layers", "from 1 to 8", "is 9")),
        ({"node_dim": 64, "heads.1": 3, "operator.1": "gat"}, ("3 heads", "size 64")),
        ({"averaging": 1.0}, ("averaging", "from 0 to 0.9999", "is 1.0")),
        ({"schedule": "step"}, ("schedule", "'step'", "constant, cosine")),
        ({"clip": -1.0}, ("clip", "from 0 to 1000", "is -1.0")),
        ({"inputs": "text"}, ("inputs", "'text'", "ids, features, both")),
    ],
)
def test_an_architecture_outside_the_space_is_refused_with_its_values(decisions, values):
    with pytest.raises(SpaceError) as caught:
        Settings.of(Architecture.of(decisions))
    assert all(value in str(caught.value) for value in values)


@RELAXED
@given(table=tables(), seed=st.integers(0, 2**32 - 1))
def test_training_ends_with_scores_or_a_typed_error(table, seed):
    interactions, _ = table
    index = np.arange(len(interactions))
    try:
        graph = build_graph(interactions, index[::2])
        targets = build_targets(interactions, index[1::2], graph)
        model = build_model(sampled(preset_space("full"), seed), graph, 0)
        result = fit(model, graph, targets, TrainConfig(max_epochs=2, objective="ndcg@20", cutoffs=(20,)))
    except (DataError, Diverged) as error:
        assert isinstance(error, GnnError) and any(character.isdigit() for character in str(error))
        return
    assert 0 <= result.scores.values["ndcg@20"] <= 1 + 1e-9
