"""A small dataset whose structure is known: users and items fall into groups, and like their own group's items."""

from __future__ import annotations

import io

import numpy as np
from django.core.files.base import File

from gnn import sources
from webapp.models import Dataset
from webapp.services.datasets import dataset_import

GROUPS = 4


def toy_csv(*, users: int = 60, items: int = 40, seed: int = 3) -> bytes:
    """A CSV file in which nine interactions of ten stay within the group."""
    generator = np.random.default_rng(seed)
    lines = ["user,item,rating,timestamp"]
    for user in range(users):
        liked = [item for item in range(items) if (item % GROUPS == user % GROUPS) != (generator.random() < 0.1)]
        for item in generator.permutation(liked)[:12]:
            lines.append(f"u{user},i{item},{generator.integers(3, 6)},{1_700_000_000 + int(generator.integers(10**7))}")
    return "\n".join(lines).encode() + b"\n"


def toy_dataset() -> Dataset:
    """The toy file, imported and READY."""
    file = File(io.BytesIO(toy_csv()), name="toy.csv")
    return dataset_import(owner=None, name="toy", filename="toy.csv", file=file, mapping=sources.detect(file, "toy.csv").mapping())
