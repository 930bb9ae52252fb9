"""The best items of all users of a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gnn.bundle.recommend import Model, best

Array = np.ndarray[Any, np.dtype[Any]]

SCORES_AT_ONCE = 2**23
"""Scores of a block of users, 32 MiB."""


def rank_all(model: Model, k: int, *, exclude_seen: bool = True) -> Iterator[tuple[int, list[Array], list[Array]]]:
    """The best ``k`` items of every user, in blocks: the code of the first user, and for each the codes of items and their scores.

    Seen items are left out, so that a user who has nearly everything gets fewer.
    """
    users, items = np.asarray(model.users), np.ascontiguousarray(model.items.T)
    block = max(1, SCORES_AT_ONCE // max(1, items.shape[1]))
    for start in range(0, len(users), block):
        scores = users[start : start + block] @ items
        if exclude_seen:
            for row in range(len(scores)):
                scores[row, model.seen(start + row)] = -np.inf
        codes = [best(row, k) for row in scores]
        yield start, codes, [row[chosen] for row, chosen in zip(scores, codes, strict=True)]
