from __future__ import annotations

import pytest

from gnn.catalogue import CATALOGUE, LABELS, PRESETS, build_space, check_trainable, describe, preset_space, standard_architecture
from gnn.catalogue.canonical import canonical
from gnn.catalogue.choices import NATURAL_SCORER
from gnn.errors import SpaceError
from gnn.layers import OPERATORS
from gnn.layers.block import ACTIVATIONS, NORMALISATIONS
from gnn.space import Architecture, DecisionSpec, SearchSpace


def test_the_engine_has_exactly_the_catalogues_operators_and_activations():
    assert set(OPERATORS) == set(CATALOGUE["operator"].offered)
    assert {*ACTIVATIONS, "prelu"} == set(CATALOGUE["activation"].offered)
    assert {*NORMALISATIONS, "layer"} == set(CATALOGUE["normalisation"].offered)
    assert set(NATURAL_SCORER) == set(CATALOGUE["loss"].offered)


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=list(CATALOGUE))
def test_defaults_and_offered_choices_can_be_trained(entry):
    for choice in (entry.default, *entry.offered):
        entry.check(choice)


def test_every_text_choice_has_a_label():
    texts = {choice for entry in CATALOGUE.values() for choice in entry.offered if isinstance(choice, str)}
    assert texts == set(LABELS)


@pytest.mark.parametrize("name", list(PRESETS))
def test_presets_build(name):
    space = preset_space(name)
    check_trainable(space)
    assert space.size > 1000
    assert SearchSpace.from_json(space.to_json()).size == space.size


@pytest.mark.parametrize("name", list(PRESETS))
def test_the_standard_of_a_preset_is_of_its_space(name):
    space = preset_space(name)
    assert standard_architecture(space) in space


def test_the_standard_has_the_defaults_or_what_is_nearest_to_them():
    space = build_space(
        {"node_dim": (16, 96, 256), "layers": (1, 3), "operator": ("gcn", "gat"), "heads": (2, 4), "combination": ("sum", "mean")}
    )
    standard = standard_architecture(space)
    assert standard.to_json() == {"node_dim": 96, "layers": 1, "operator.1": "gcn", "combination": "mean"}
    assert canonical(standard_architecture(preset_space("full"))) == canonical(Architecture.of({}))


def test_conditions_are_dropped_when_the_parent_is_not_searched():
    space = build_space({"temperature": (0.1, 0.2)})
    assert space.size == 2


def test_choices_that_can_never_apply_are_left_out():
    space = build_space({"layers": (1, 2), "operator": ("lightgcn",), "activation": ("relu",)})
    assert [decision.name for decision in space.decisions] == ["layers", "operator.1", "operator.2"]


@pytest.mark.parametrize(
    ("ticked", "message", "field"),
    [
        ({"width": (1,)}, "Unknown decision 'width'", "width"),
        ({"operator": ("gcn",)}, "choose the number of layers too", "layers"),
        ({"layers": (9,)}, "from 1 to 8", "layers"),
        ({"node_dim": ()}, "no choices", "node_dim"),
        ({}, "at least one decision", None),
        ({"dropout": ("much",)}, "must be a number", "dropout"),
        ({"node_dim": (1.5,)}, "must be a whole number", "node_dim"),
        ({"combination": ("max",)}, "cannot be 'max'", "combination"),
    ],
)
def test_what_cannot_be_searched_is_refused(ticked, message, field):
    with pytest.raises(SpaceError, match=message) as caught:
        build_space(ticked)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (DecisionSpec("width", (1,)), "Unknown decision"),
        (DecisionSpec("operator", ("gcn",)), "repeated per 'layers'"),
        (DecisionSpec("node_dim", (16,), per="layers"), "not repeated"),
        (DecisionSpec("node_dim", (0,)), "from 1 to 4096"),
        (DecisionSpec("heads", (1, 3), per="layers"), f"3 heads do not divide a node embedding of size {CATALOGUE['node_dim'].default}"),
    ],
)
def test_a_written_space_the_engine_cannot_train_is_refused(spec, message):
    with pytest.raises(SpaceError, match=message):
        check_trainable(SearchSpace([DecisionSpec("layers", (1,)), spec]))


def test_an_unknown_preset_lists_the_presets():
    with pytest.raises(SpaceError, match="demo"):
        preset_space("tiny")


def test_an_architecture_is_described_in_one_line():
    architecture = Architecture.of(
        {"node_dim": 32, "edge_dim": 8, "layers": 2, "operator.1": "gat", "activation.1": "relu", "operator.2": "lightgcn"}
        | {"combination": "mean", "loss": "softmax", "temperature": 0.2, "dropout": 0.0}
    )
    assert describe(architecture) == "d32 · edge 8 · GAT ReLU → LightGCN · mean · softmax · τ 0.2"
    assert describe(Architecture.of({})) == "d128 · LightGCN → LightGCN"


@pytest.mark.parametrize("allowed", [[16, 9999], [16, "\0"], [16, 0.5]])
def test_a_condition_on_a_choice_that_cannot_be_is_refused(allowed: list[object]) -> None:
    document = {
        "schema": 1,
        "decisions": [{"name": "node_dim", "choices": [16]}, {"name": "dropout", "choices": [0.1], "when": {"node_dim": allowed}}],
    }
    with pytest.raises(SpaceError, match="'dropout' depends on a choice that cannot be") as caught:
        check_trainable(SearchSpace.from_json(document))
    assert caught.value.field == "dropout"
