"""A served model of random embeddings, and questions to it."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from gnn.bundle.recommend import Model
from serving.answers import answer
from serving.attributes import ItemAttributes
from serving.served import Served
from webapp.scoring import Answer

USERS, ITEMS, DIM = 7, 300, 5
DEFAULTS: dict[str, Any] = {
    "k": 10, "exclude_seen": True, "allow": None, "deny": [], "where": [],
    "mmr_lambda": None, "explain": False, "fallback": "popularity", "known": [],
}  # fmt: skip


def make_model(seed: int = 0, *, item_bias: bool = False) -> Model:
    """User ``u6`` has every item; item ``i0`` and item ``i1`` are the same in all but their id."""
    generator = np.random.default_rng(seed)
    users = generator.normal(size=(USERS, DIM)).astype(np.float32)
    items = generator.normal(size=(ITEMS, DIM)).astype(np.float32)
    items[1] = items[0]
    if item_bias:
        users[:, -1] = 1
    seen = [np.sort(generator.choice(ITEMS, size=3 + code, replace=False)) for code in range(USERS - 1)] + [np.arange(ITEMS)]
    names = {"user": [f"u{code}" for code in range(USERS)], "item": [f"i{code}" for code in range(ITEMS)]}
    tensors = {
        "users": users,
        "items": items,
        "fold_in": generator.normal(size=(DIM + 1, DIM)).astype(np.float32),
        "seen_indptr": np.concatenate([[0], np.cumsum([len(codes) for codes in seen])]).astype(np.int64),
        "seen_items": np.concatenate(seen).astype(np.int32),
    }
    for kind, ids in names.items():
        tensors[f"{kind}_ids"] = np.frombuffer("".join(ids).encode(), dtype=np.uint8)
        tensors[f"{kind}_id_offsets"] = np.concatenate([[0], np.cumsum([len(name) for name in ids])]).astype(np.int64)
    return Model(tensors, item_bias=item_bias)


def make_served(seed: int = 0, *, number: int = 1, item_bias: bool = False, attributes: ItemAttributes | None = None) -> Served:
    served = Served("films", number, f"digest {seed}", make_model(seed, item_bias=item_bias), attributes or ItemAttributes())
    served.warm()
    return served


def asked(served: Served, kind: str, **question: Any) -> Answer:
    said = answer({served.name: served}, {"kind": kind, "model": "films"} | DEFAULTS | question)
    if isinstance(said, Answer):
        return said
    with ThreadPoolExecutor(1) as thread:  # this one may have the loop of a browser's tests
        return thread.submit(asyncio.run, said).result()


def told(served: Served, kind: str, **question: Any) -> dict[str, Any]:
    found = asked(served, kind, **question)
    assert found.status == 200, found.message
    body: dict[str, Any] = json.loads(found.body)
    return body


def pairs(found: dict[str, Any]) -> list[tuple[str, float]]:
    return [(item["item"], item["score"]) for item in found["items"]]
