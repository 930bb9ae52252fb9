from __future__ import annotations

import pytest

from gnn.errors import SpaceError
from gnn.settings import Settings
from gnn.space import Architecture


def test_what_an_architecture_leaves_out_takes_the_default():
    settings = Settings.of(Architecture.of({}))
    assert settings == Settings(64, 0, ("lightgcn",) * 2, (1, 1), ("identity",) * 2, "mean", True, 0.0, 0.0, "softmax", 0.3, 0.01)


def test_decisions_are_read_per_layer():
    settings = Settings.of(
        Architecture.of({"layers": 3, "operator.1": "gat", "activation.1": "elu", "operator.3": "sage", "node_dim": 8, "edge_dim": 2})
    )
    assert settings.operators == ("gat", "lightgcn", "sage")
    assert settings.activations == ("elu", "identity", "identity")
    assert (settings.node_dim, settings.edge_dim) == (8, 2)


def test_linear_layers_have_no_activation_and_only_attention_has_heads():
    settings = Settings.of(Architecture.of({"layers": 1, "activation.1": "relu", "heads.1": 4}))
    assert (settings.activations, settings.heads) == (("identity",), (1,))
    assert Settings.of(Architecture.of({"operator.2": "gatv2", "heads.2": 4})).heads == (1, 4)


@pytest.mark.parametrize(
    ("decisions", "message"),
    [
        ({"width": 3}, "Unknown decision 'width'"),
        ({"operator": "gcn"}, "Unknown decision 'operator'"),
        ({"node_dim.1": 8}, "Unknown decision 'node_dim.1'"),
        ({"layers": 1, "operator.2": "gcn"}, "a network of 1 layers"),
        ({"operator.x": "gcn"}, "does not have"),
        ({"operator.1": "mlp"}, "'operator' cannot be 'mlp'"),
        ({"operator.1": "gat", "heads.1": 3}, "3 heads do not divide a node embedding of size 64"),
        ({"node_dim": 0}, "'node_dim' must be from 1"),
        ({"dropout": 0.95}, "'dropout' must be from 0"),
        ({"layers": "two"}, "'layers' must be a whole number"),
        ({"node_dim": 2.5}, "'node_dim' must be a whole number"),
    ],
)
def test_what_cannot_be_trained_is_refused(decisions, message):
    with pytest.raises(SpaceError, match=message):
        Settings.of(Architecture.of(decisions))
