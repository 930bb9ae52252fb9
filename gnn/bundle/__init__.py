"""A trained model as files that anybody can use without Recsmith: embeddings, ids, what is known of it, and a script to recommend with.

Reading loads no torch, and nothing in a bundle is executed: arrays are safetensors, facts are JSON.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from safetensors.numpy import save_file

from gnn.bundle import recommend
from gnn.bundle.card import card
from gnn.bundle.document import ModelDocument
from gnn.bundle.fold_in import fit_fold_in
from gnn.bundle.members import seal, verify
from gnn.bundle.tensors import SHAPES, check_tensors, id_arrays, map_tensors
from gnn.bundle.texts import TEXT_FILES, architecture_texts
from gnn.errors import BundleTampered

Array = np.ndarray[Any, np.dtype[Any]]

LICENCES = """\
# Licences

- `recommend.py` and `architecture.py` are part of Recsmith and come under the Apache License 2.0, https://www.apache.org/licenses/LICENSE-2.0.
- The embeddings and the ids were made from a dataset. Its licence and the rights of the people in it decide who may have them and
  what for: Recsmith adds no terms of its own. A user's embedding and list of items are personal data where the user is a person.
- numpy and safetensors, which `recommend.py` needs, are not included; they are under the BSD 3-Clause and Apache 2.0 licences.
"""


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """What training made, ready to be written.

    Shapes: ``users`` float32 [n_users, d], ``items`` float32 [n_items, d]; ``seen_indptr`` [n_users + 1] and ``seen_items``, the
    items of each user that it was trained with; ids are text, in the order of the embeddings.
    """

    users: Array
    items: Array
    seen_indptr: Array
    seen_items: Array
    user_ids: pl.Series
    item_ids: pl.Series
    document: ModelDocument


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle that was verified and opened."""

    folder: Path
    digest: str
    """Of all its content, SHA-256."""
    document: ModelDocument
    model: recommend.Model
    """On memory-mapped arrays."""


def save(trained: TrainedModel, folder: Path) -> None:
    """Write a bundle into an empty folder; the same model gives the same bytes."""
    given = {
        "users": trained.users.astype(np.float32),
        "items": trained.items.astype(np.float32),
        "fold_in": fit_fold_in(trained.users, trained.items, trained.seen_indptr, trained.seen_items),
        "seen_indptr": trained.seen_indptr.astype(np.int64),
        "seen_items": trained.seen_items.astype(np.int32),
        **id_arrays("user", trained.user_ids),
        **id_arrays("item", trained.item_ids),
    }
    document = trained.document
    check_tensors(given, n_users=document.data.users, n_items=document.data.items, dim=document.scorer.dim)
    save_file({name: np.ascontiguousarray(given[name]) for name in SHAPES}, folder / "model.safetensors")
    for name, ids in (("users", trained.user_ids), ("items", trained.item_ids)):
        codes = pl.int_range(len(ids), dtype=pl.Int32, eager=True)
        pl.DataFrame({"code": codes, "id": ids}).write_parquet(folder / f"{name}.parquet", compression="zstd")
    (folder / "model.json").write_text(json.dumps(document.to_json(), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (folder / "MODEL_CARD.md").write_text(card(document), encoding="utf-8")
    (folder / "LICENCES.md").write_text(LICENCES, encoding="utf-8")
    shutil.copyfile(recommend.__file__, folder / "recommend.py")
    for kind, text in architecture_texts(document).items():
        (folder / TEXT_FILES[kind]).write_text(text, encoding="utf-8")
    seal(folder)


def load(folder: Path) -> Bundle:
    """Verify a bundle's folder and open it.

    Raises:
        BundleError: of a kind that says what is wrong with it.
    """
    digest = verify(folder)
    try:
        parsed = json.loads((folder / "model.json").read_bytes())
    except (ValueError, RecursionError) as error:
        raise BundleTampered(f"model.json is not JSON: {error}.") from error
    document = ModelDocument.from_json(parsed)
    tensors = map_tensors(folder / "model.safetensors")
    check_tensors(tensors, n_users=document.data.users, n_items=document.data.items, dim=document.scorer.dim)
    return Bundle(folder, digest, document, recommend.Model(tensors, item_bias=document.scorer.item_bias))
