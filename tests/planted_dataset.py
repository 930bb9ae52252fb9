"""A dataset where only attributes tell what new items are like."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from django.core.files.base import File

from gnn import sources
from gnn.sources.mapping import Mapping
from gnn.sources.side import side_mapping
from webapp.enums import FileKind
from webapp.models import Dataset
from webapp.services.datasets import ImportFile, dataset_import

GROUPS, USERS, OLD, NEW = 4, 48, 24, 12
"""Users like the items of their group; old items are in training, new ones are validated and tested on alone."""
WORDS = ("a story of space ships and rockets", "how to bake bread and cakes", "songs for piano and violin", "football teams and their cups")


TYPES = {"group": "categorical", "tags": "multi", "size": "numeric", "plot": "text"}


def planted_dataset(*described_by: str) -> Dataset:
    """Interactions with a given split: all old items of a user's group train, one new one validates, and the others test.

    Items have the attributes ``described_by``, and where that is all of them users have one too.
    """
    generator = np.random.default_rng(5)
    rows: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for user in range(USERS):
        group = user % GROUPS
        rows["train"] += [f"u{user},i{item}" for item in range(group, OLD, GROUPS)]
        new = range(OLD + group, OLD + NEW, GROUPS)
        rows["valid"].append(f"u{user},i{new[0]}")
        rows["test"] += [f"u{user},i{item}" for item in new[1:]]
    items = ["item_id,group,tags,size,plot"]
    for item in range(OLD + NEW):
        group = item % GROUPS
        items.append(f"i{item},g{group},t{group}|t{generator.integers(9)}x,{generator.random():.3f},{WORDS[group]} part {item}")
    users = ["user_id,club", *(f"u{user},c{user % GROUPS}" for user in range(USERS))]
    parts = {part: ("user,item\n" + "\n".join(lines) + "\n").encode() for part, lines in rows.items()}
    attributes = {"kind": "item_attributes", "delimiter": ",", "has_header": True, "id": "item_id"}
    chosen = [{"column": name, "name": name, "type": TYPES[name]} for name in described_by or TYPES]
    described = side_mapping(attributes | {"attributes": chosen})
    clubs = side_mapping(
        attributes | {"kind": "user_attributes", "id": "user_id", "attributes": [{"column": "club", "name": "club", "type": "categorical"}]}
    )
    further = [
        ImportFile(FileKind.INTERACTIONS, f"{part}.csv", file_of(parts[part]), mapping_of(parts[part], part)) for part in ("valid", "test")
    ]
    further.append(ImportFile(FileKind.ITEM_ATTRIBUTES, "items.csv", file_of("\n".join(items).encode()), described))
    if not described_by:
        further.append(ImportFile(FileKind.USER_ATTRIBUTES, "users.csv", file_of("\n".join(users).encode()), clubs))
    return dataset_import(
        owner=None, name="planted", filename="train.csv", file=file_of(parts["train"]), mapping=mapping_of(parts["train"], "train"),
        further=further,
    )  # fmt: skip


def file_of(content: bytes) -> File[Any]:
    return File(io.BytesIO(content), name="f.csv")


def mapping_of(content: bytes, part: str) -> Mapping:
    return sources.detect(file_of(content), "f.csv").mapping().model_copy(update={"part": part})
