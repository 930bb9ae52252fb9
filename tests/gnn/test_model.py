from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch_geometric.nn import PairNorm

from gnn.catalogue import PRESETS, preset_space
from gnn.graph import build_graph
from gnn.layers.block import NORMALISATIONS
from gnn.layers.combination import LayerAttention
from gnn.model import Draw, build_model
from gnn.space import Architecture
from gnn.trainer import Trainer
from tests.gnn.toy import planted_blocks, random_interactions


@pytest.fixture(scope="module")
def planted():
    return planted_blocks()


@pytest.fixture(scope="module")
def graph():
    interactions = random_interactions(3)
    return build_graph(interactions, np.arange(len(interactions)))


def network(graph, seed=0, **decisions):
    names = {"node_dim": 8, "loss": "bpr", "item_bias": "none", "dropout": 0.0, **decisions}
    return build_model(Architecture.of({name.replace("__", "."): choice for name, choice in names.items()}), graph, seed)


@pytest.mark.parametrize("preset", list(PRESETS))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_every_sampled_architecture_builds_and_trains_a_step(preset, seed, planted):
    _, graph, valid = planted
    graph = replace(graph, item_features=torch.rand(graph.n_items, 3))
    architecture = preset_space(preset).sample(np.random.default_rng(seed))
    model = build_model(architecture, graph, 0)
    before = model.nodes.detach().clone()
    trainer = Trainer(model, graph, valid, 0)
    trainer.objective.size = 10**6
    assert np.isfinite(trainer.train_epoch())
    assert not torch.equal(model.nodes, before)
    users, items = model.embeddings()
    assert users.shape[0] == graph.n_users and items.shape[0] == graph.n_items
    assert torch.isfinite(users).all() and torch.isfinite(items).all()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_every_sampled_architecture_propagates_to_users_and_items(seed, planted):
    """The layers of a node follow embeddings of the other side, unless all of them are the identity."""
    _, graph, _ = planted
    architecture = preset_space("full").sample(np.random.default_rng(seed))
    model = build_model(architecture, graph, 0)
    users, items = slice(graph.n_users), slice(graph.n_users, None)
    propagates = any(layer.operator != "identity" for layer in model.settings.layers)
    for node, others in ((0, items), (graph.n_users, users)):
        direction = torch.randn(model.settings.node_dim, generator=torch.Generator().manual_seed(seed))
        follows = sum((output[node] * direction).sum() for output in model.propagate(None)[1:])
        (gradient,) = torch.autograd.grad(follows, [model.nodes])
        assert torch.isfinite(gradient).all()
        assert bool(gradient[others].abs().sum() > 0) == propagates


def test_the_seed_decides_the_weights(graph):
    weights = [network(graph, seed, operator__1="gat", edge_dim=2).state_dict() for seed in (1, 1, 2)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not torch.equal(weights[0]["nodes"], weights[2]["nodes"])


@pytest.mark.parametrize(
    ("combination", "combine"),
    [
        ("last", lambda outputs: outputs[2]),
        ("sum", sum),
        ("mean", lambda outputs: sum(outputs) / 3),
        ("concat", lambda outputs: torch.cat(outputs, dim=1)),
    ],
)
def test_layers_are_combined(graph, combination, combine):
    model = network(graph, combination=combination)
    matrix = graph.plain.matrix.to_dense()
    outputs = [model.nodes, matrix @ model.nodes, matrix @ (matrix @ model.nodes)]
    torch.testing.assert_close(torch.cat(model()), combine(outputs))


def test_activations_follow_their_layer(graph):
    model = network(graph, layers=1, operator__1="gcn", activation__1="relu", combination="last")
    assert (torch.cat(model()) >= 0).all()


def test_softmax_networks_score_by_cosine(graph):
    torch.testing.assert_close(torch.cat(network(graph, loss="softmax")()).norm(dim=1), torch.ones(graph.n_nodes))


@pytest.mark.parametrize(("loss", "scale"), [("softmax", 0.2), ("bpr", 1.0)])
def test_an_item_bias_is_added_to_every_users_scores(graph, loss, scale):
    temperature = {"temperature": 0.2} if loss == "softmax" else {}
    plain, biased = network(graph, loss=loss, **temperature), network(graph, loss=loss, item_bias="learned", **temperature)
    bias = torch.arange(float(graph.n_items))
    with torch.no_grad():
        biased.item_bias.copy_(bias)
    plain_users, plain_items = plain.embeddings()
    users, items = biased.embeddings()
    torch.testing.assert_close(users @ items.t(), plain_users @ plain_items.t() + scale * bias)
    assert torch.equal(biased.without_bias(items), plain_items)


def test_dropout_hides_a_share_and_keeps_the_mean():
    hidden = Draw(torch.Generator().manual_seed(0)).hide(torch.ones(22, 512), 0.4)
    assert (hidden == 0).float().mean().item() == pytest.approx(0.4, abs=0.02)
    assert hidden.mean().item() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("place", ["dropout", "message_dropout", "edge_dropout"])
def test_dropout_is_for_training_only(graph, place):
    model, plain = network(graph, **{place: 0.4}), network(graph)
    assert torch.equal(torch.cat(model()), torch.cat(plain()))
    first, same, other = (torch.cat(model(Draw(torch.Generator().manual_seed(seed)))) for seed in (0, 0, 1))
    assert torch.equal(first, same)
    assert not torch.equal(first, other) and not torch.equal(first, torch.cat(plain()))
    assert torch.equal(torch.cat(plain(Draw(torch.Generator()))), torch.cat(plain()))


def test_message_dropout_spares_the_embeddings(graph):
    model = network(graph, message_dropout=0.5, layers=1)
    embeddings, output = model.propagate(Draw(torch.Generator().manual_seed(0)))
    assert torch.equal(embeddings, model.nodes)
    wanted = graph.plain.matrix @ model.nodes
    torch.testing.assert_close(output[output != 0], 2 * wanted[output != 0])
    assert (output[wanted != 0] == 0).any()


def test_normalisations_equal_pyg_and_torch(graph):
    x = torch.randn(9, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(NORMALISATIONS["pair"](x), PairNorm()(x))
    torch.testing.assert_close(NORMALISATIONS["l2"](x).norm(dim=1), torch.ones(9))
    model = network(graph, layers=1, normalisation__1="layer", combination="last")
    expected = torch.nn.functional.layer_norm(graph.plain.matrix @ model.nodes, (8,))
    torch.testing.assert_close(torch.cat(model()), expected)


def test_prelu_learns_its_slope(graph):
    model = network(graph, layers=1, operator__1="gcn", activation__1="prelu", combination="last")
    linear = network(graph, layers=1, operator__1="gcn", combination="last")
    torch.testing.assert_close(torch.cat(model()), torch.nn.functional.prelu(torch.cat(linear()), torch.tensor([0.25])))
    torch.cat(model()).sum().backward()
    assert model.layers[0].activate.weight.grad != 0


@pytest.mark.parametrize("skip", ["residual", "initial"])
def test_skips_add_what_came_before(graph, skip):
    model = network(graph, skip__1=skip, skip__2=skip, combination="last")
    matrix, nodes = graph.plain.matrix.to_dense(), model.nodes
    first = matrix @ nodes + nodes
    torch.testing.assert_close(torch.cat(model()), matrix @ first + (first if skip == "residual" else nodes))


@pytest.mark.parametrize("combination", ["weighted", "attention"])
def test_learned_combinations_start_as_the_mean_and_learn(graph, combination):
    model = network(graph, combination=combination)
    torch.testing.assert_close(torch.cat(model()), torch.cat(network(graph)()))
    torch.cat(model()).square().sum().backward()
    learned = model.combination.weight if combination == "weighted" else model.combination.query
    assert learned.grad.abs().sum() > 0


def test_layer_attention_weighs_each_node_by_itself():
    attention = LayerAttention(3, torch.Generator().manual_seed(0))
    with torch.no_grad():
        attention.query.copy_(torch.tensor([1.0, -2.0, 0.5]))
    outputs = [torch.randn(5, 3, generator=torch.Generator().manual_seed(seed)) for seed in range(4)]
    for node in range(5):
        states = np.stack([output[node].numpy() for output in outputs])
        weight = np.exp(np.tanh(states @ attention.lin.weight.detach().numpy().T) @ attention.query.detach().numpy())
        expected = (weight / weight.sum()) @ states
        np.testing.assert_allclose(attention(outputs)[node].detach().numpy(), expected, rtol=1e-5)


def test_scorers_are_what_they_say(graph):
    users, items = network(graph).embeddings()
    bilinear = network(graph, scorer="bilinear")
    torch.testing.assert_close(bilinear.embeddings()[0][1:], (users @ bilinear.scorer.weight)[1:])
    assert torch.equal(bilinear.embeddings()[1], items)
    towers = network(graph, scorer="mlp", combination="concat")
    torch.testing.assert_close(towers.embeddings()[1], network(graph, combination="concat").embeddings()[1])
    towers()[1].sum().backward()
    assert towers.scorer.item[2].weight.grad.abs().sum() > 0
    torch.testing.assert_close(torch.cat(network(graph, scorer="cosine")()).norm(dim=1), torch.ones(graph.n_nodes))


def test_a_cold_user_gets_the_mean_of_the_others(graph):
    users, _ = network(graph).embeddings()
    assert graph.user_degree[0] == 0
    torch.testing.assert_close(users[0], users[graph.user_degree > 0].mean(0))


def test_parameters_are_counted(graph):
    model = network(graph, layers=1, operator__1="gcn", edge_dim=3)
    expected = graph.n_nodes * 8 + graph.n_buckets * 3 + (8 * 8 + 8) + (3 + 3 * 8)
    assert model.parameter_count == expected
