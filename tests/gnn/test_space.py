from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnn.errors import SpaceError
from gnn.space import Architecture, DecisionSpec, SearchSpace

LAYERED = [
    DecisionSpec("layers", (1, 2)),
    DecisionSpec("operator", ("lightgcn", "gcn"), per="layers"),
    DecisionSpec("activation", ("relu", "tanh", "elu"), per="layers", when={"operator": ("gcn",)}),
    DecisionSpec("loss", ("softmax", "bpr")),
    DecisionSpec("temperature", (0.1, 0.2), when={"loss": ("softmax",)}),
]


@st.composite
def spaces(draw):
    """Small random spaces with layers, and conditions on whatever came before."""
    specs = [DecisionSpec("layers", tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=2, unique=True))))]
    for place in range(draw(st.integers(1, 3))):
        per = draw(st.sampled_from([None, "layers"]))
        parents = [spec for spec in specs if spec.per in (None, per) and spec.name != "layers"]
        when = {}
        if parents and draw(st.booleans()):
            parent = draw(st.sampled_from(parents))
            when[parent.name] = (draw(st.sampled_from(parent.choices)),)
        choices = tuple("abc"[: draw(st.integers(1, 3))])
        specs.append(DecisionSpec(f"d{place}", choices, per=per, when=when))
    return SearchSpace(specs)


def all_architectures(space):
    """Every architecture, by walking the decisions in order."""
    walks = [{}]
    for decision in space.decisions:
        walks = [
            {**walk, decision.name: choice} if choice is not None else walk
            for walk in walks
            for choice in (decision.choices if space.is_active(decision, walk) else (None,))
        ]
    return [Architecture.of(walk) for walk in walks]


@settings(max_examples=60, deadline=None)
@given(space=spaces(), seed=st.integers(0, 100))
def test_size_counts_distinct_architectures_and_samples_are_members(space, seed):
    everything = all_architectures(space)
    assert space.size == len(everything) == len({architecture.key for architecture in everything})
    sampled = space.sample(np.random.default_rng(seed))
    assert sampled in space
    assert sampled.key in {architecture.key for architecture in everything}
    assert space.architecture(sampled.to_json()) == sampled


@settings(max_examples=30, deadline=None)
@given(space=spaces())
def test_a_space_survives_json(space):
    again = SearchSpace.from_text(json.dumps(space.to_json()))
    assert again.to_json() == space.to_json()
    assert again.decisions == space.decisions


def test_layers_repeat_decisions_in_the_order_a_person_would_choose():
    names = [decision.name for decision in SearchSpace(LAYERED).decisions]
    assert names == ["layers", "operator.1", "activation.1", "operator.2", "activation.2", "loss", "temperature"]
    # One layer: lightgcn or gcn with 3 activations, 4 ways; two layers 16. Loss: 2 temperatures or bpr, 3 ways.
    assert SearchSpace(LAYERED).size == (4 + 16) * 3


def test_a_key_does_not_depend_on_order_or_spelling_of_numbers():
    orders = itertools.permutations({"a": 1, "b": 0.5, "c": "x"}.items())
    assert len({Architecture(order).key for order in orders}) == 1
    assert Architecture.of({"dropout": 0}).key == Architecture.of({"dropout": 0.0}).key
    assert Architecture.of({"dropout": 0}).key != Architecture.of({"dropout": 0.1}).key
    assert Architecture.of({"node_dim": 64}).key == "c1f82d76c2922326"


@pytest.mark.parametrize(
    ("values", "message", "field"),
    [
        ({"layers": 1, "operator.1": "lightgcn"}, "no choice for 'loss'", "loss"),
        ({"layers": 1, "operator.1": "lightgcn", "loss": "bpr", "temperature": 0.1}, "not active", "temperature"),
        ({"layers": 1, "operator.1": "lightgcn", "loss": "bpr", "operator.2": "gcn"}, "not active", "operator.2"),
        ({"layers": 3}, "the space offers", "layers"),
        ({"layers": 1, "operator.1": "gat"}, "the space offers", "operator.1"),
    ],
)
def test_an_architecture_outside_the_space_is_refused(values, message, field):
    with pytest.raises(SpaceError, match=message) as caught:
        SearchSpace(LAYERED).architecture(values)
    assert caught.value.field == field
    assert Architecture.of(values) not in SearchSpace(LAYERED)


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ([], "at least one decision"),
        ([DecisionSpec("a", (1,)), DecisionSpec("a", (2,))], "appears twice"),
        ([DecisionSpec("a", ())], "no choices"),
        ([DecisionSpec("a", (1, 1.0))], "lists a choice twice"),
        ([DecisionSpec("a", (float("nan"),))], "not finite"),
        ([DecisionSpec("a", ("x",), per="layers")], "not an earlier plain decision"),
        ([DecisionSpec("layers", (0, 1)), DecisionSpec("a", ("x",), per="layers")], "whole numbers from 1"),
        ([DecisionSpec("layers", (17,)), DecisionSpec("a", ("x",), per="layers")], "whole numbers from 1"),
        ([DecisionSpec("a", ("x",), when={"b": ("y",)})], "not an earlier decision"),
        ([DecisionSpec("a", ("x",)), DecisionSpec("b", ("y",), when={"a": ("z",)})], "never be active"),
        ([*LAYERED, DecisionSpec("b", ("y",), when={"operator": ("gcn",)})], "is repeated per 'layers'"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(specs, message):
    with pytest.raises(SpaceError, match=message):
        SearchSpace(specs)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Not JSON at line 1"),
        ("[]", "not valid at document"),
        ('{"schema": 2, "decisions": [{"name": "a", "choices": [1]}]}', "has schema 2"),
        ('{"schema": 1, "decisions": [{"name": "A b", "choices": [1]}]}', "decisions.0.name"),
        ('{"schema": 1, "decisions": [{"name": "a", "choices": [true]}]}', "decisions.0.choices.0"),
        ('{"schema": 1, "decisions": [{"name": "a", "choices": [1], "extra": 1}]}', "decisions.0.extra"),
    ],
)
def test_a_document_that_is_no_space_is_refused(text, message):
    with pytest.raises(SpaceError, match=message):
        SearchSpace.from_text(text)


def test_conditions_too_entangled_to_count_are_refused() -> None:
    many = tuple(range(64))
    parents = [DecisionSpec(name, many) for name in ("a", "b", "c", "d")]
    child = DecisionSpec("e", (1, 2), when={parent.name: (0,) for parent in parents})
    with pytest.raises(SpaceError, match="depend on fewer"):
        SearchSpace([*parents, child])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 50_000, "Nested too deeply"),
        ('{"schema": 1, "decisions": [{"name": "a", "choices": [' + "9" * 5000 + "]}]}", "cannot be read"),
        ('{"schema": 1, "decisions": [{"name": "a", "choices": [NaN]}]}', "not valid at decisions.0.choices.0"),
    ],
)
def test_text_that_a_parser_would_fall_over_is_refused(text: str, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        SearchSpace.from_text(text)


def test_a_document_of_another_shape_says_where() -> None:
    with pytest.raises(SpaceError) as caught:
        SearchSpace.from_json({"schema": 1, "decisions": [{"name": "a", "choices": [1]}, {"name": "b", "choices": []}]})
    assert caught.value.place == ("decisions", 1, "choices")
