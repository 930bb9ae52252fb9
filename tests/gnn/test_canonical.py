from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gnn.catalogue import CATALOGUE, preset_space
from gnn.catalogue.canonical import canonical, normal_form
from gnn.model import build_model
from gnn.settings import Settings
from gnn.space import Architecture
from gnn.trainer import Trainer
from tests.gnn.toy import planted_blocks

SMALL = {"node_dim": 8, "loss": "softmax", "dropout": 0.0}
EMPTY = {"operator.1": "identity", "operator.2": "identity"}
SGL, NOISY = {"contrastive": "sgl"}, {"contrastive": "simgcl"}

EXACT = {
    "a choice at its default": ({"temperature": CATALOGUE["temperature"].default, "layers": CATALOGUE["layers"].default}, {}),
    "the scorer the objective brings": ({"loss": "bpr", "scorer": "dot"}, {"loss": "bpr"}),
    "an objective on cosines has no other scorer": ({"loss": "ccl", "scorer": "mlp", "item_bias": "learned"}, {"loss": "ccl"}),
    "an activation after a linear layer": ({"activation.1": "relu", "heads.2": 4}, {}),
    "a normalisation after an empty layer": ({**EMPTY, "normalisation.1": "layer", "skip.2": "residual"}, EMPTY),
    "edges where nothing propagates": ({**EMPTY, "edge_dim": 4, "edge_dropout": 0.4}, EMPTY),
    "views of a graph that nothing reads": ({**EMPTY, **SGL, "contrastive_drop": 0.4}, {**EMPTY, **SGL}),
    "negatives of an objective that draws none": ({"negatives": "hard", "negative_count": 4, "margin": 0.1}, {}),
    "a sample of the catalogue where all of it is compared": ({"loss": "directau", "candidates": "in_batch"}, {"loss": "directau"}),
    "a correction that an even sample does not need": (
        {"loss": "sampled_softmax", "popularity_correction": "none"},
        {"loss": "sampled_softmax"},
    ),
    "a temperature outside a softmax": ({"loss": "bpr", "temperature": 0.05, "popularity_offset": 0.5}, {"loss": "bpr"}),
    "settings of a contrastive term that is off": ({"contrastive_weight": 0.2, "contrastive_noise": 0.2}, {}),
    "the noise of a contrastive term without": ({**SGL, "contrastive_noise": 0.2}, SGL),
    "a residual connection of the first layer": ({"skip.1": "residual", "operator.1": "gcn"}, {"skip.1": "initial", "operator.1": "gcn"}),
    "the same after dropout of the embeddings": ({"skip.1": "residual", "dropout": 0.2}, {"skip.1": "initial", "dropout": 0.2}),
    "a residual connection after empty layers": (
        {"operator.1": "identity", "skip.2": "residual", "combination": "concat"},
        {"operator.1": "identity", "skip.2": "initial", "combination": "concat"},
    ),
    "empty layers before the last": (
        {"layers": 3, "operator.1": "identity", "operator.2": "gcn", "operator.3": "identity", "combination": "last"},
        {"layers": 1, "operator.1": "gcn", "combination": "last"},
    ),
    "empty layers alone": (
        {"layers": 3, **EMPTY, "operator.3": "identity", "combination": "last"},
        {"layers": 1, "operator.1": "identity", "combination": "last"},
    ),
}
"""Two spellings of the same operations in the same order."""

ROUNDED = {
    "a sum under the cosine": ({"combination": "sum", "operator.1": "gat"}, {"combination": "mean", "operator.1": "gat"}),
    "a sum under the cosine, contrasted": ({"combination": "sum", **SGL}, {"combination": "mean", **SGL}),
    "a mean of empty layers": (
        {"layers": 3, **EMPTY, "operator.3": "identity", "loss": "bpr"},
        {"layers": 1, "operator.1": "identity", "combination": "last", "loss": "bpr"},
    ),
    "the length of the last layer": (
        {"combination": "last", "normalisation.2": "l2", "operator.2": "gcn", "activation.2": "leaky_relu", "message_dropout": 0.1},
        {"combination": "last", "operator.2": "gcn", "activation.2": "leaky_relu", "message_dropout": 0.1},
    ),
}
"""Two spellings of the same function, computed in another order."""

DIFFERENT = {
    "a sum under the dot product": ({"loss": "bpr", "combination": "sum"}, {"loss": "bpr", "combination": "mean"}),
    "an empty layer that dropout passes": (
        {"operator.2": "identity", "combination": "last", "message_dropout": 0.2},
        {"layers": 1, "combination": "last", "message_dropout": 0.2},
    ),
    "an empty layer that noise passes": (
        {"operator.2": "identity", "combination": "last", **NOISY},
        {"layers": 1, "combination": "last", **NOISY},
    ),
    "an empty layer in the mean": ({"operator.2": "identity"}, {"layers": 1}),
    "a residual connection of the second layer": ({"skip.2": "residual"}, {"skip.2": "initial"}),
    "a residual connection after noise": (
        {"operator.1": "identity", "skip.2": "residual", **NOISY},
        {"operator.1": "identity", "skip.2": "initial", **NOISY},
    ),
    "the length of the last layer before noise": (
        {"combination": "last", "normalisation.2": "l2", **NOISY},
        {"combination": "last", **NOISY},
    ),
    "the length of a layer between": ({"combination": "last", "normalisation.1": "l2"}, {"combination": "last"}),
    "the length after an activation with a scale": (
        {"combination": "last", "operator.2": "gcn", "activation.2": "tanh", "normalisation.2": "l2"},
        {"combination": "last", "operator.2": "gcn", "activation.2": "tanh"},
    ),
    "a view of a graph that a layer reads": ({**SGL, "contrastive_drop": 0.4}, SGL),
}


def trained(values: dict, epochs: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """User and item embeddings after some steps."""
    _, graph, valid = planted_blocks()
    model = build_model(Architecture.of(SMALL | values), graph, seed=3)
    run = Trainer(model, graph, valid, seed=4)
    for _ in range(epochs):
        run.train_epoch()
    return model.embeddings()


def key(values: dict) -> str:
    return canonical(Architecture.of(SMALL | values)).key


@pytest.mark.parametrize("name", EXACT)
def test_spellings_that_train_to_the_same_bits_are_one(name):
    one, other = EXACT[name]
    assert key(one) == key(other)
    for ours, theirs in zip(trained(one), trained(other), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", ROUNDED)
def test_spellings_that_train_alike_but_for_rounding_are_one(name):
    one, other = ROUNDED[name]
    assert key(one) == key(other)
    (users, items), (their_users, their_items) = trained(one), trained(other)
    torch.testing.assert_close(users @ items.t(), their_users @ their_items.t(), rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_trains_differently_stays_apart(name):
    one, other = DIFFERENT[name]
    assert key(one) != key(other)
    (users, items), (their_users, their_items) = trained(one), trained(other)
    assert not torch.allclose(users @ items.t(), their_users @ their_items.t(), rtol=0, atol=1e-3)


def sampled(seed: int) -> Architecture:
    return preset_space("full").sample(np.random.default_rng(seed))


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_the_canonical_spelling_is_the_same_network_and_its_own_canonical_spelling(seed):
    short = canonical(sampled(seed))
    assert canonical(short) == short
    assert Settings.of(short) == normal_form(Settings.of(sampled(seed)))


def neighbour(architecture: Architecture, generator: np.random.Generator) -> Architecture:
    """The architecture with one decision changed, which may take away or leave out others."""
    name = architecture.choices[int(generator.integers(len(architecture.choices)))][0]
    offered = CATALOGUE[name.partition(".")[0]].offered
    values = architecture.to_json() | {name: offered[int(generator.integers(len(offered)))]}
    layers = int(values["layers"])
    return Architecture.of({n: choice for n, choice in values.items() if int(n.partition(".")[2] or 1) <= layers})


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_architectures_that_differ_in_one_decision_are_merged_only_if_they_train_alike(seed):
    """The other direction needs no test: what is kept apart although it is equal costs a trial, not a wrong answer."""
    generator = np.random.default_rng(seed)
    small = {"node_dim": 8, "negative_count": 1}
    one = Architecture.of(preset_space("full").sample(generator).to_json() | small)
    other = Architecture.of(neighbour(one, generator).to_json() | small)
    if canonical(one).key == canonical(other).key:
        _, graph, valid = planted_blocks()
        models = [build_model(architecture, graph, seed=3) for architecture in (one, other)]
        assert models[0].parameter_count == models[1].parameter_count
        for model in models:
            Trainer(model, graph, valid, seed=4).train_epoch()
        first, second = (users @ items.t() for users, items in (model.embeddings() for model in models))
        torch.testing.assert_close(first, second, rtol=0, atol=1e-3 * float(first.abs().max()))
