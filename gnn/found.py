"""Which of the held-out items a model would have recommended."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch

from gnn.evaluate import SCORES_AT_ONCE, Scorer, Targets, masked_items, top_unseen
from gnn.graph import Graph


def found_items(scorer: Scorer, graph: Graph, targets: Targets, k: int, *, also_seen: Targets | None = None) -> np.ndarray:
    """Whether each item of ``targets.items`` is among the best ``k`` unseen items of its user, bool [P].

    Training items are masked, and those of ``also_seen``, as :mod:`gnn.evaluate` does.
    """
    indptr, items = masked_items(graph, also_seen)
    k = min(k, graph.n_items)
    rows = max(1, SCORES_AT_ONCE // graph.n_items)
    found = np.zeros(len(targets.items), dtype=bool)
    for start, end in pairwise([*range(0, len(targets.users), rows), len(targets.users)]):
        users = targets.users[start:end]
        scores = scorer.score(torch.from_numpy(users)).float().contiguous()
        listed = top_unseen(scores, users, indptr, items, k).astype(np.int64)
        # An empty place has item -1; it must not look like the last item of the user before.
        pairs = np.where(listed < 0, -1, np.arange(len(users))[:, None] * graph.n_items + listed)
        first, last = targets.indptr[start], targets.indptr[end]
        wanted = np.repeat(np.arange(len(users)), np.diff(targets.indptr[start : end + 1])) * graph.n_items + targets.items[first:last]
        found[first:last] = np.isin(wanted, pairs)
    return found
