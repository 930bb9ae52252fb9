"""How long one user waits for recommendations."""

from __future__ import annotations

import time

import numpy as np
import torch

from gnn.evaluate import Scorer, top_unseen
from gnn.graph import Graph

USERS = 50
WARM_UP = 5


@torch.no_grad()
def latency_ms(scorer: Scorer, graph: Graph, k: int) -> float:
    """Median milliseconds to score the catalogue for one user and take the best ``k`` unseen items.

    Measured for up to 50 users spread evenly over all, one after the other, after five that only warm caches up,
    with this process's threads on its device. Embeddings are ready, as they are when a model serves. The median
    leaves out pauses, but not a machine that is busy all along: on a shared one, repetitions differ by some tens of per cent.
    """
    users = np.unique(np.linspace(0, graph.n_users - 1, min(USERS, graph.n_users)).astype(np.int64))
    indptr, items = graph.seen_indptr.cpu().numpy(), graph.seen_items.cpu().numpy()
    k = min(k, graph.n_items)
    seconds = []
    for user in np.concatenate([np.resize(users, WARM_UP), users]):
        one = np.array([user])
        started = time.perf_counter()
        top_unseen(scorer.score(torch.from_numpy(one)), one, indptr, items, k)
        seconds.append(time.perf_counter() - started)
    return 1000 * float(np.median(seconds[WARM_UP:]))
