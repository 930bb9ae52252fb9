"""Graphs to measure on: a public split read from disk, or a synthetic one of the same size and skew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from gnn.interactions import Interactions

GOWALLA = (29_858, 40_981, 810_128)
"""Users, items and training interactions of LightGCN's public Gowalla split."""
ML_100K = (943, 1_682, 80_808)
"""The same of MovieLens-100K with a tenth held out for validation and a tenth for testing."""


TASTES = 16
OWN_TASTE = 0.7
"""Share of a synthetic user's draws that are of its own taste."""


def interactions_of(user: np.ndarray, item: np.ndarray, n_users: int, n_items: int) -> Interactions:
    """Bare interactions; ids are the codes as text."""
    return Interactions(
        user.astype(np.int32),
        item.astype(np.int32),
        None,
        None,
        pl.Series(np.arange(n_users)).cast(pl.String),
        pl.Series(np.arange(n_items)).cast(pl.String),
    )


def read_lists(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read ``user item item ...`` lines; the user and the item of each interaction."""
    users, items = [], []
    with file.open() as lines:
        for line in lines:
            user, *liked = map(int, line.split())
            users += [user] * len(liked)
            items += liked
    return np.array(users), np.array(items)


def joined(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[Interactions, int]:
    """The users and items of several parts as one table, in order; also the length of the first part."""
    user, item = (np.concatenate(side) for side in zip(*parts, strict=True))
    return interactions_of(user, item, int(user.max()) + 1, int(item.max()) + 1), len(parts[0][0])


def synthetic(n_users: int, n_items: int, n_edges: int, seed: int = 0) -> Interactions:
    """Distinct random pairs whose users and items follow a power law, as real interactions do, and share tastes.

    Users and items have one of TASTES each; most items of a user are of its own.
    """
    generator = np.random.default_rng(seed)

    def draw(n: int) -> np.ndarray:
        weight = (np.arange(n) + 10.0) ** -0.75
        return generator.choice(n, size=2 * n_edges, p=weight / weight.sum())

    user, item = draw(n_users), draw(n_items)
    own = generator.random(len(user)) < OWN_TASTE
    # Numbers still tell how popular something is, so the next item of the right taste is about as popular.
    item = np.where(own, item - item % TASTES + user % TASTES, item) % n_items
    pairs = np.unique(generator.permutation(n_users)[user] * np.int64(n_items) + generator.permutation(n_items)[item])
    pairs = generator.permutation(pairs)[:n_edges]
    return interactions_of(pairs // n_items, pairs % n_items, n_users, n_items)


def gowalla_like(train: Path | None) -> Interactions:
    """The training part of Gowalla at ``train``, or a synthetic graph of its size."""
    if train is None:
        return synthetic(*GOWALLA)
    user, item = read_lists(train)
    return interactions_of(user, item, int(user.max()) + 1, int(item.max()) + 1)
