from __future__ import annotations

import pytest

from gnn.errors import SpaceError
from gnn.settings import LayerSettings, Settings
from gnn.space import Architecture


def test_what_an_architecture_leaves_out_takes_the_default():
    settings = Settings.of(Architecture.of({}))
    assert (settings.node_dim, settings.edge_dim, settings.layers) == (128, 0, (LayerSettings(),) * 2)
    assert (settings.combination, settings.loss, settings.scorer, settings.item_bias) == ("mean", "softmax", "cosine", True)
    assert (settings.temperature, settings.learning_rate, settings.averaging, settings.l2) == (0.25, 0.01, 0.95, 0.0)
    assert (settings.dropout, settings.message_dropout, settings.edge_dropout) == (0.1, 0.0, 0.0)


def test_decisions_are_read_per_layer():
    settings = Settings.of(
        Architecture.of(
            {"layers": 3, "operator.1": "gat", "heads.1": 4, "activation.1": "elu", "operator.3": "sage", "node_dim": 8}
            | {"skip.3": "residual", "normalisation.2": "pair"}
        )
    )
    assert settings.layers == (
        LayerSettings("gat", 4, "elu"),
        LayerSettings("lightgcn", normalisation="pair"),
        LayerSettings("sage", skip="residual"),
    )


def test_what_does_not_apply_to_an_operator_is_neutral():
    every = {"activation.1": "relu", "heads.1": 4, "normalisation.1": "layer", "skip.1": "initial", "layers": 1}
    assert Settings.of(Architecture.of(every)).layers == (LayerSettings(normalisation="layer", skip="initial"),)
    assert Settings.of(Architecture.of(every | {"operator.1": "identity"})).layers == (LayerSettings("identity"),)


@pytest.mark.parametrize(("loss", "scorer"), [("softmax", "cosine"), ("sampled_softmax", "cosine"), ("bpr", "dot"), ("margin", "dot")])
def test_an_objective_brings_its_own_scorer_unless_one_is_chosen(loss, scorer):
    assert Settings.of(Architecture.of({"loss": loss})).scorer == scorer
    assert Settings.of(Architecture.of({"loss": loss, "scorer": "bilinear"})).scorer == "bilinear"


@pytest.mark.parametrize("loss", ["ccl", "directau"])
def test_objectives_on_cosines_have_no_other_scorer_and_no_bias(loss):
    settings = Settings.of(Architecture.of({"loss": loss, "scorer": "dot", "item_bias": "learned"}))
    assert (settings.scorer, settings.item_bias, settings.temperature) == ("cosine", False, 1.0)


def test_only_softmax_objectives_choose_their_temperature():
    assert Settings.of(Architecture.of({"loss": "sampled_softmax", "temperature": 0.1})).temperature == 0.1
    assert Settings.of(Architecture.of({"loss": "bpr", "temperature": 0.1})).temperature == 1.0
    assert Settings.of(Architecture.of({"loss": "bpr", "scorer": "cosine"})).temperature == 0.2


@pytest.mark.parametrize(
    ("decisions", "message"),
    [
        ({"width": 3}, "Unknown decision 'width'"),
        ({"operator": "gcn"}, "Unknown decision 'operator'"),
        ({"node_dim.1": 8}, "Unknown decision 'node_dim.1'"),
        ({"layers": 1, "operator.2": "gcn"}, "a network of 1 layers"),
        ({"operator.x": "gcn"}, "does not have"),
        ({"operator.1": "mlp"}, "'operator' cannot be 'mlp'"),
        ({"node_dim": 64, "operator.1": "gat", "heads.1": 3}, "3 heads do not divide a node embedding of size 64"),
        ({"node_dim": 0}, "'node_dim' must be from 1"),
        ({"dropout": 0.95}, "'dropout' must be from 0"),
        ({"layers": "two"}, "'layers' must be a whole number"),
        ({"node_dim": 2.5}, "'node_dim' must be a whole number"),
    ],
)
def test_what_cannot_be_trained_is_refused(decisions, message):
    with pytest.raises(SpaceError, match=message):
        Settings.of(Architecture.of(decisions))
