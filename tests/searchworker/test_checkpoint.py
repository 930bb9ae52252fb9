from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save

from searchworker.checkpoint import REST, pack, pack_parts, unpack, unpack_parts


def test_nested_states_come_back_exactly() -> None:
    state = {
        "number": 2**100,
        "real": 0.1 + 0.2,
        "text": "é/$",
        "nothing": None,
        "list": [1, {"inner": torch.tensor(3.0)}],
        "weights": {"0": {"step": torch.tensor(2.0), "mean": torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).T}},
        "keys": np.array([1, 2**64 - 1], dtype=np.uint64),
        "empty": torch.zeros(0, 5),
    }
    back = unpack(pack(state))
    assert list(back) == list(state)
    assert {name: back[name] for name in ("number", "real", "text", "nothing")} == {
        name: state[name] for name in ("number", "real", "text", "nothing")
    }
    assert back["list"][0] == 1
    assert torch.equal(back["list"][1]["inner"], torch.tensor(3.0))
    assert torch.equal(back["weights"]["0"]["mean"], state["weights"]["0"]["mean"])
    assert isinstance(back["keys"], np.ndarray)
    assert back["keys"].dtype == np.uint64
    assert back["keys"].tolist() == [1, 2**64 - 1]
    assert back["empty"].shape == (0, 5)


def test_a_tensor_named_twice_is_stored_as_two() -> None:
    shared = torch.arange(4)
    back = unpack(pack({"a": shared, "b": shared}))
    back["a"][0] = 9
    assert back["b"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("value", [{1: "x"}, {"a": object()}, {"a": {2: 3}}])
def test_what_is_not_json_is_refused(value: dict) -> None:
    with pytest.raises(TypeError):
        pack(value)


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        pack({"reward": float("nan")})


@pytest.mark.parametrize("data", [b"", b"\x80\x04pickle", save({"a": torch.zeros(1)}), pack({"a": torch.zeros(9)})[:-4]])
def test_bytes_of_something_else_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a controller state"):
        unpack(data)


def test_another_schema_is_refused() -> None:
    data = save({}, metadata={"recsmith.controller": json.dumps({"schema": 99, "state": {}})})
    with pytest.raises(ValueError, match="schema 99"):
        unpack(data)


def test_parts_come_back_as_one_and_those_that_stay_as_they_were_are_equal() -> None:
    state = {"number": 3, "nested": {"a": 1}, "loose": torch.arange(3), "policy": {"x": torch.ones(4)}, "table": {"0": {"n": np.arange(5)}}}
    parts = pack_parts(state)
    assert set(parts) == {REST, "policy", "table"}
    back = unpack_parts(parts)
    assert set(back) == set(state)
    assert (back["number"], back["nested"]) == (3, {"a": 1})
    assert torch.equal(back["policy"]["x"], torch.ones(4))
    assert back["table"]["0"]["n"].tolist() == [0, 1, 2, 3, 4]
    after = pack_parts(state | {"number": 4, "policy": {"x": torch.zeros(4)}})
    assert {name for name in parts if after[name] != parts[name]} == {REST, "policy"}
