from __future__ import annotations

import numpy as np
import pytest
import torch

from gnn.errors import DataError, SpaceError
from gnn.evaluate import build_targets
from gnn.graph import build_graph
from gnn.model import INITIAL_SCALE, Draw, build_model
from gnn.objectives import make_objective
from gnn.parameters import parameter_count
from gnn.settings import Settings
from gnn.space import Architecture
from gnn.train import TrainConfig, fit
from gnn.trainer import Trainer
from tests.gnn.toy import BLOCK_ITEMS, BLOCK_USERS, BLOCKS, HELD_OUT, make_interactions, planted_blocks, random_interactions

OBJECTIVE = f"recall@{HELD_OUT}"


def features(n, width, seed=0, scale=1.0):
    return scale * np.random.default_rng(seed).standard_normal((n, width))


def graph_with(user_width=None, item_width=None, scale=1.0):
    interactions = random_interactions(3)
    tables = [None if width is None else features(n, width, scale=scale) for n, width in ((13, user_width), (9, item_width))]
    return build_graph(interactions, np.arange(len(interactions)), *tables)


def network(graph, **decisions):
    return build_model(Architecture.of({"node_dim": 8, "loss": "bpr", "dropout": 0.0, **decisions}), graph, 0)


def test_ids_alone_ignore_features():
    plain, rich = network(graph_with()), network(graph_with(3, 4), inputs="ids")
    assert all(torch.equal(a, b) for a, b in zip(plain.state_dict().values(), rich.state_dict().values(), strict=True))
    assert rich.inputs() is rich.nodes


@pytest.mark.parametrize(("user_width", "item_width"), [(3, 4), (3, None), (None, 4)])
@pytest.mark.parametrize("inputs", ["features", "both"])
def test_inputs_are_ids_features_or_their_sum(inputs, user_width, item_width):
    graph = graph_with(user_width, item_width)
    model = network(graph, inputs=inputs)
    ids, expected = model.nodes.detach().numpy(), []
    for kind, n, table in (("user", 13, graph.user_features), ("item", 9, graph.item_features)):
        own = np.zeros((n, 8), np.float32)
        if table is None or inputs == "both":
            own, ids = own + ids[:n], ids[n:]
        if table is not None:
            own = own + table.numpy() @ model.projections[kind].weight.detach().numpy()
        expected.append(own)
    assert len(ids) == 0
    np.testing.assert_allclose(model.inputs().detach().numpy(), np.concatenate(expected), rtol=1e-4, atol=1e-6)
    counted = parameter_count(model.settings, 13, 9, graph.n_buckets, user_width=user_width or 0, item_width=item_width or 0)
    assert counted == model.parameter_count


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_projections_start_at_the_size_of_ids(scale):
    model = network(graph_with(40, 30, scale), inputs="features", node_dim=64)
    assert model.inputs().std().item() == pytest.approx(INITIAL_SCALE, rel=0.1)
    empty = build_graph(random_interactions(3), np.arange(5), np.zeros((13, 2)))
    assert torch.isfinite(network(empty, inputs="features").inputs()).all()


@pytest.mark.parametrize("inputs", ["features", "both"])
def test_features_want_a_dataset_that_has_some(inputs):
    with pytest.raises(SpaceError, match=f"'inputs' is '{inputs}', but the dataset has no attributes of users or items") as caught:
        network(graph_with(), inputs=inputs)
    assert caught.value.field == "inputs"


def test_the_l2_term_is_of_the_inputs_used():
    graph = graph_with(3, 4)
    plain, ruled = (make_objective(network(graph, inputs="features", l2=l2), graph) for l2 in (0.0, 0.5))
    block = next(iter(plain.blocks(torch.Generator().manual_seed(0))))
    losses = [objective.loss(block, draw(), 100) for objective in (plain, ruled)]
    negatives = plain.negatives(block, lambda *_: None, draw().generator).flatten()
    used = torch.cat([block.users, graph.n_users + block.items, graph.n_users + negatives])
    norm = plain.model.inputs()[used].square().sum().item()
    assert (losses[1] - losses[0]).item() == pytest.approx(0.25 * norm / len(block.users), rel=1e-3)


def draw():
    return Draw(torch.Generator().manual_seed(0))


def planted_with_blocks_as_features():
    """What a user likes is an attribute; so is what an item is."""
    interactions, graph, valid = planted_blocks()
    tables = [np.repeat(np.eye(BLOCKS), n, axis=0) for n in (BLOCK_USERS, BLOCK_ITEMS)]
    train = np.arange(graph.n_edges)
    rich = build_graph(interactions, train, *tables)
    return rich, build_targets(interactions, np.arange(graph.n_edges, len(interactions)), rich)


@pytest.mark.parametrize("inputs", ["features", "both"])
def test_training_on_features_finds_planted_blocks_and_resumes_exactly(inputs):
    graph, valid = planted_with_blocks_as_features()
    config = TrainConfig(max_epochs=10, patience=10, objective=OBJECTIVE, cutoffs=(HELD_OUT,))
    kept = []
    decisions = {"inputs": inputs, "loss": "softmax", "learning_rate": 0.05, "operator.1": "gcn"}
    result = fit(network(graph, **decisions), graph, valid, config, lambda report: kept.append(report.snapshot()))
    assert result.scores.values[OBJECTIVE] > 0.97
    again = fit(network(graph, **decisions), graph, valid, config, resume=kept[2])
    assert torch.equal(again.scorer.items, result.scorer.items)


def test_features_place_a_user_without_interactions():
    """User 8 has no interaction, but the attribute of those who like items 0 to 2."""
    pairs = [(user, item) for user in range(8) for item in range(6) if (user < 4) == (item < 3) and (user + item) % 3]
    graph = build_graph(make_interactions(pairs, 9, 6), np.arange(len(pairs)), np.eye(2)[[0] * 4 + [1] * 4 + [0]])
    valid = build_targets(make_interactions([*pairs, (0, 0)], 9, 6), np.array([len(pairs)]), graph)
    run = Trainer(network(graph, inputs="features", loss="bce", learning_rate=0.05), graph, valid, 0)
    for _ in range(60):
        run.train_epoch()
    users, items = run.embeddings()
    assert set((items @ users[8]).topk(3).indices.tolist()) == {0, 1, 2}


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"user_features": features(12, 2)}, r"user features must be a table of 13 rows.*\(12, 2\)"),
        ({"item_features": features(9, 2)[:, 0]}, r"item features must be a table of 9 rows.*\(9,\)"),
        ({"item_features": features(9, 0)}, r"\(9, 0\)"),
        ({"item_features": np.where(np.arange(18).reshape(9, 2) == 7, np.nan, 1.0)}, "item features have the value nan at row 3, column 1"),
        ({"user_features": np.full((13, 1), 1e300)}, r"1e\+300 at row 0, column 0.*13 in all"),
    ],
)
def test_features_that_do_not_fit_are_refused(tables, message):
    interactions = random_interactions(3)
    with pytest.raises(DataError, match=message):
        build_graph(interactions, np.arange(len(interactions)), **tables)


def test_features_leave_what_settings_are_otherwise():
    assert Settings.of(Architecture.of({})).inputs == "ids"
    graph = graph_with(3, 4).without_edges(0.5, torch.Generator().manual_seed(0))
    assert graph.user_features.shape == (13, 3) and graph.to("cpu").item_features.shape == (9, 4)
