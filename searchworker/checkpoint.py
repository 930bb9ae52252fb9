"""A controller's state as bytes: safetensors for the arrays, JSON for the rest, so that reading it cannot run code.

It is written at every round of a search, and most of it stays as it was: so it is written in parts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from gnn.snapshot import read_document

SCHEMA = 1
REST = ""
"""Name of the part with everything that has none of its own."""
_KEY = "recsmith.controller"
_TENSOR = "$tensor"
_ARRAY = "$array"


class StateError(ValueError):
    """A stored controller state that this version, or this controller, cannot go on from."""


def pack(state: dict[str, Any]) -> bytes:
    """Write nested dictionaries and lists of JSON-able values, torch tensors and numpy arrays.

    Raises:
        TypeError, ValueError: a value is none of these, is not finite, or a key is not text.
    """
    tensors: dict[str, torch.Tensor] = {}

    def plain(value: Any, path: str) -> Any:
        if isinstance(value, dict):
            if not all(isinstance(key, str) for key in value):
                raise TypeError(f"Keys at '{path}' must be text, but are {list(value)}.")
            return {key: plain(item, f"{path}/{key}") for key, item in value.items()}
        if isinstance(value, list):
            return [plain(item, f"{path}/{i}") for i, item in enumerate(value)]
        if isinstance(value, torch.Tensor | np.ndarray):
            tensor = torch.as_tensor(value).detach()
            tensors[path] = tensor.clone(memory_format=torch.contiguous_format)
            return {_TENSOR if isinstance(value, torch.Tensor) else _ARRAY: path}
        return value

    document = json.dumps({"schema": SCHEMA, "state": plain(state, "")}, allow_nan=False)
    packed: bytes = save(tensors, metadata={_KEY: document})
    return packed


def unpack(data: bytes) -> dict[str, Any]:
    """Read what :func:`pack` wrote.

    Raises:
        StateError: it is not such a document, or of another version.
    """
    try:
        tensors, document = read_document(data, _KEY)
    except ValueError as error:
        raise StateError(f"These {len(data)} bytes are not a controller state: {error}.") from error
    if document["schema"] != SCHEMA:
        raise StateError(f"The controller state has schema {document['schema']}, but this version reads {SCHEMA}.")

    def restored(value: Any) -> Any:
        if isinstance(value, list):
            return [restored(item) for item in value]
        if not isinstance(value, dict):
            return value
        if _TENSOR in value:
            return tensors[value[_TENSOR]]
        if _ARRAY in value:
            return tensors[value[_ARRAY]].numpy()
        return {key: restored(item) for key, item in value.items()}

    state: dict[str, Any] = restored(document["state"])
    return state


def pack_parts(state: dict[str, Any]) -> dict[str, bytes]:
    """Each entry of ``state`` that is a dictionary with arrays as a part of its own, the others as one, all by :func:`pack`."""
    own = {name: value for name, value in state.items() if isinstance(value, dict) and _holds_arrays(value)}
    rest = {name: value for name, value in state.items() if name not in own}
    return {REST: pack(rest)} | {name: pack({name: value}) for name, value in own.items()}


def unpack_parts(parts: Mapping[str, bytes]) -> dict[str, Any]:
    """Read what :func:`pack_parts` wrote.

    Raises:
        StateError: as for :func:`unpack`.
    """
    state: dict[str, Any] = {}
    for part in parts.values():
        state |= unpack(part)
    return state


def _holds_arrays(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_holds_arrays(item) for item in value.values())
    return isinstance(value, torch.Tensor | np.ndarray)
