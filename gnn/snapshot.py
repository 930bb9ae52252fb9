"""Training state as bytes: safetensors with a JSON header, so that reading one cannot run code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from gnn.errors import TrainError

SCHEMA = 1
_KEY = "recsmith.training"


def pack(tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> bytes:
    """Put tensors and JSON-able values into one safetensors document."""
    header = json.dumps({"schema": SCHEMA, **values})
    return save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, metadata={_KEY: header})


def unpack(document: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`pack` wrote.

    Raises:
        TrainError: it is not such a document, or of another version.
    """
    try:
        tensors, values = read_document(document, _KEY)
    except ValueError as error:
        raise TrainError(f"These {len(document)} bytes are not a training snapshot: {error}.") from error
    if values.pop("schema") != SCHEMA:
        raise TrainError(f"The training snapshot is not of schema {SCHEMA}, which this version reads.")
    return tensors, values


def read_document(document: bytes, key: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a safetensors document, and the JSON object that its metadata has under ``key``.

    Raises:
        ValueError: it is not such a document.
    """
    try:
        length = int.from_bytes(document[:8], "little")
        values: dict[str, Any] = json.loads(json.loads(document[8 : 8 + length])["__metadata__"][key])
        return load(document), values
    except Exception as error:  # safetensors raises its own and the standard library's errors alike
        raise ValueError(str(error)) from error


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def without_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose name starts with ``prefix.``, by the rest of their names."""
    return {name.removeprefix(f"{prefix}."): tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}.")}


def adam_tensors(optimizer: torch.optim.Adam) -> dict[str, Tensor]:
    """Adam's memory by ``<parameter>.<quantity>``."""
    state = optimizer.state_dict()["state"]
    return {f"{parameter}.{name}": tensor for parameter, entry in state.items() for name, tensor in entry.items()}


def restore_adam(optimizer: torch.optim.Adam, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        parameter, _, quantity = name.partition(".")
        state.setdefault(int(parameter), {})[quantity] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
