"""The arrays of a bundle: one safetensors file, memory-mapped, so that processes share it and it loads at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from safetensors import SafetensorError, safe_open

from gnn.errors import BundleTampered, BundleUnsafe

Array = np.ndarray[Any, np.dtype[Any]]

DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "I32": np.dtype("<i4"), "I64": np.dtype("<i8"), "U8": np.dtype("u1")}

SHAPES = {
    "users": ("F32", ("n_users", "d")),
    "items": ("F32", ("n_items", "d")),
    "fold_in": ("F32", ("d + 1", "d")),
    "seen_indptr": ("I64", ("n_users + 1",)),
    "seen_items": ("I32", ("seen",)),
    "user_ids": ("U8", ("user bytes",)),
    "user_id_offsets": ("I64", ("n_users + 1",)),
    "item_ids": ("U8", ("item bytes",)),
    "item_id_offsets": ("I64", ("n_items + 1",)),
}
"""Every array, its type and what its sizes are."""


def map_tensors(path: Path) -> dict[str, Array]:
    """The arrays of a safetensors file, read-only and not in memory until they are used.

    Raises:
        BundleUnsafe: it is not such a file, for example a pickle with its name.
    """
    try:
        with safe_open(path, framework="numpy") as opened:  # checks that the header fits the file and nothing overlaps
            opened.keys()
    except (SafetensorError, OSError) as error:
        raise BundleUnsafe(f"{path.name} is not a safetensors file, so it is not read: {error}.") from error
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header: dict[str, Any] = json.loads(file.read(length))
    data = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + length) if path.stat().st_size > 8 + length else np.zeros(0, np.uint8)
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in DTYPES:
            raise BundleTampered(f"The array '{name}' has the type {entry['dtype']}, which no bundle uses.")
        start, end = entry["data_offsets"]
        tensors[name] = data[start:end].view(DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def check_tensors(tensors: Mapping[str, Array], *, n_users: int, n_items: int, dim: int) -> None:
    """Refuse arrays that cannot be those of a model of these sizes.

    Raises:
        BundleTampered: the message says which array and how.
    """
    if set(tensors) != set(SHAPES):
        raise BundleTampered(f"The arrays must be {', '.join(SHAPES)}, but are {', '.join(sorted(tensors)) or 'none'}.")
    sizes = {"n_users": n_users, "n_items": n_items, "d": dim, "n_users + 1": n_users + 1, "n_items + 1": n_items + 1, "d + 1": dim + 1}
    for name, (dtype, shape) in SHAPES.items():
        array = tensors[name]
        wanted = tuple(sizes.get(size, array.size) for size in shape)
        if array.dtype != DTYPES[dtype] or array.shape != wanted:
            raise BundleTampered(
                f"The array '{name}' must be {dtype} of shape {list(wanted)}, but is {array.dtype} of {list(array.shape)}."
            )
        if dtype == "F32" and not np.isfinite(array).all():
            raise BundleTampered(f"The array '{name}' has values that are not finite.")
    for name, content in (("seen_indptr", "seen_items"), ("user_id_offsets", "user_ids"), ("item_id_offsets", "item_ids")):
        limits = tensors[name]
        if limits[0] != 0 or limits[-1] != len(tensors[content]) or (np.diff(limits) < 0).any():
            raise BundleTampered(f"The limits '{name}' do not divide '{content}'.")
    seen = tensors["seen_items"]
    if len(seen) and not 0 <= seen.min() <= seen.max() < n_items:
        raise BundleTampered(f"'seen_items' names items from {seen.min()} to {seen.max()}, but there are {n_items}.")


def id_arrays(kind: str, ids: pl.Series) -> dict[str, Array]:
    """Ids as one run of UTF-8 and the limits of each."""
    lengths = ids.str.len_bytes().to_numpy()
    content = np.frombuffer("".join(ids.to_list()).encode(), dtype=np.uint8)
    return {f"{kind}_ids": content, f"{kind}_id_offsets": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)}
