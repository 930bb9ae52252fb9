"""Ranking quality over the full catalogue, with seen items masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from gnn import kernels
from gnn.errors import DataError
from gnn.graph import Graph
from gnn.metrics import TestScores, ValidationScores, list_metrics, means, ranking_metrics, user_auc

if TYPE_CHECKING:
    from gnn.interactions import Interactions

SCORES_AT_ONCE = 2**22
"""Scores computed before they are ranked: small enough for a processor's cache and any memory."""

PAIRS_AT_ONCE = 256
"""Held-out items compared with the catalogue at once on a device without compiled loops."""


class Scorer(Protocol):
    """Anything that scores the whole catalogue for some users."""

    def score(self, users: Tensor) -> Tensor:
        """Scores [B, n_items] of the users with codes ``users``, int64 [B]; the caller may overwrite them."""


class EmbeddingScorer:
    """Scores by the dot product of fixed embeddings; users [n_users, d], items [n_items, d]."""

    def __init__(self, users: Tensor, items: Tensor) -> None:
        self.users = users
        self.items = items

    def score(self, users: Tensor) -> Tensor:
        return self.users[users.to(self.users.device)] @ self.items.t()


@dataclass(frozen=True, eq=False)
class Targets:
    """Users with at least one held-out item that a recommendation could contain."""

    users: np.ndarray
    """Codes, ascending int64 [U]."""
    indptr: np.ndarray
    """Limits of each user's items, int64 [U + 1]."""
    items: np.ndarray
    """Held-out items, ascending within a user, int64."""


NO_TARGETS = Targets(np.zeros(0, np.int64), np.zeros(1, np.int64), np.zeros(0, np.int64))
"""Where nothing is held out."""


def build_targets(interactions: Interactions, index: np.ndarray, graph: Graph, also_seen: Targets | None = None) -> Targets:
    """Collect the held-out items at ``index``, each once.

    Items the user also has in training (or in ``also_seen``) are left out: they are masked when ranking,
    so nobody could recommend them.

    Raises:
        DataError: no user has an item left to find.
    """
    n_items = graph.n_items
    pair = np.sort(interactions.user[index].astype(np.int64) * n_items + interactions.item[index])  # np.unique hashes, which is slower here
    pair = pair[np.diff(pair, prepend=-1) > 0]
    indptr, items = masked_items(graph, also_seen)
    seen = np.sort(np.repeat(np.arange(graph.n_users), np.diff(indptr)) * n_items + items)
    pair = pair[seen[np.minimum(np.searchsorted(seen, pair), len(seen) - 1)] != pair]
    if len(pair) == 0:
        raise DataError(f"None of {len(index)} held-out interactions is an item its user has not already seen.")
    user = pair // n_items
    starts = np.flatnonzero(np.diff(user, prepend=-1))
    return Targets(user[starts], np.append(starts, len(pair)), pair % n_items)


def evaluate_validation(scorer: Scorer, graph: Graph, targets: Targets, cutoffs: Sequence[int]) -> ValidationScores:
    """Rank the catalogue for each target user, training items masked, and compare with the held-out items."""
    per_user, overall = _rank(scorer, graph, targets, cutoffs, None)
    return ValidationScores(means(per_user) | overall, per_user, targets.users)


def evaluate_test(
    scorer: Scorer, graph: Graph, targets: Targets, cutoffs: Sequence[int], *, also_seen: Targets | None = None
) -> TestScores:
    """Rank the catalogue for each target user and compare with the test items.

    Training items are masked and, as RecBole does, so are the validation items given as ``also_seen``:
    a user who has them would not be recommended them.
    """
    per_user, overall = _rank(scorer, graph, targets, cutoffs, also_seen)
    return TestScores(means(per_user) | overall, per_user, targets.users)


def _rank(
    scorer: Scorer, graph: Graph, targets: Targets, cutoffs: Sequence[int], also_seen: Targets | None
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Metrics of each target user, and those of all their lists together."""
    seen_indptr, seen_items = masked_items(graph, also_seen)
    length = min(max(cutoffs), graph.n_items)
    rows = max(1, SCORES_AT_ONCE // graph.n_items)
    top, before = [], []
    for start in range(0, len(targets.users), rows):
        users = targets.users[start : start + rows]
        scores = scorer.score(torch.from_numpy(users)).float().contiguous()
        top.append(top_unseen(scores, users, seen_indptr, seen_items, length))
        before.append(_places_before(scores, users, seen_indptr, targets.indptr[start : start + len(users) + 1], targets.items))
    listed = np.concatenate(top).astype(np.int64)
    relevant = np.diff(targets.indptr)
    unseen = graph.n_items - np.diff(seen_indptr)[targets.users]
    # An empty place has item -1; it must not look like the last item of the user before.
    row = np.arange(len(listed))[:, None]
    pair = np.where(listed < 0, -1, row * graph.n_items + listed)
    wanted = np.repeat(np.arange(len(relevant)), relevant) * graph.n_items + targets.items
    place = np.minimum(np.searchsorted(wanted, pair), len(wanted) - 1)
    per_user, overall = list_metrics(listed, graph.item_degree.cpu().numpy(), graph.n_users, cutoffs)
    per_user["auc"] = user_auc(np.concatenate(before), relevant, unseen)
    return ranking_metrics(wanted[place] == pair, relevant, cutoffs) | per_user, overall


def top_unseen(scores: Tensor, users: np.ndarray, seen_indptr: np.ndarray, seen_items: np.ndarray, k: int) -> np.ndarray:
    """The best ``k`` unseen items of each user, best first, int32 [B, k]; -1 where there are fewer.

    Seen items of user u are ``seen_items[seen_indptr[u]:seen_indptr[u + 1]]``. ``scores``, contiguous float32, get -inf there.
    On the CPU, equal scores keep item order.
    """
    if scores.device.type == "cpu":
        best, items = np.empty((len(users), k), dtype=np.float32), np.empty((len(users), k), dtype=np.int32)
        kernels.top_items(scores.numpy(), users, seen_indptr, seen_items, best, items)
        return items
    counts = np.diff(seen_indptr)[users]
    starts = np.repeat(seen_indptr[users] - (np.cumsum(counts) - counts), counts)
    columns = seen_items[np.arange(len(starts)) + starts]
    rows = np.repeat(np.arange(len(users)), counts)
    scores[torch.from_numpy(rows).to(scores.device), torch.from_numpy(columns).to(scores.device)] = -torch.inf
    value, item = torch.topk(scores, k)
    listed: np.ndarray = torch.where(value > -torch.inf, item, -1).int().cpu().numpy()
    return listed


def _places_before(scores: Tensor, users: np.ndarray, seen_indptr: np.ndarray, indptr: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    if scores.device.type != "cpu":
        return places_before(scores, users, seen_indptr, indptr, wanted)
    before = np.empty(len(users))
    kernels.places_before(scores.numpy(), users, seen_indptr, indptr, wanted, before)
    return before


def places_before(scores: Tensor, users: np.ndarray, seen_indptr: np.ndarray, indptr: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """What :func:`gnn.kernels.places_before` counts, on any device, float64 [B]."""
    row = torch.from_numpy(np.repeat(np.arange(len(users)), np.diff(indptr))).to(scores.device)
    column = torch.from_numpy(wanted[indptr[0] : indptr[-1]]).to(scores.device)
    unseen = torch.from_numpy(scores.shape[1] - np.diff(seen_indptr)[users]).to(scores.device)
    places = []
    for rows, columns in zip(row.split(PAIRS_AT_ONCE), column.split(PAIRS_AT_ONCE), strict=True):
        others = scores[rows]
        score = others.gather(1, columns[:, None])
        finite = score > -torch.inf
        higher = torch.where(finite, others > score, others > -torch.inf).sum(1)
        same = torch.where(finite[:, 0], (others == score).sum(1), unseen[rows] - higher)
        places.append(higher + same / 2)
    return np.bincount(row.cpu().numpy(), torch.cat(places).double().cpu().numpy(), minlength=len(users))


def masked_items(graph: Graph, also_seen: Targets | None) -> tuple[np.ndarray, np.ndarray]:
    """Each user's masked items: those of training and those of ``also_seen``; CSR over all users."""
    indptr, items = graph.seen_indptr.cpu().numpy(), graph.seen_items.cpu().numpy()
    if also_seen is None:
        return indptr, items
    user = np.concatenate([np.repeat(np.arange(graph.n_users), np.diff(indptr)), np.repeat(also_seen.users, np.diff(also_seen.indptr))])
    order = np.argsort(user, kind="stable")
    counts = np.bincount(user, minlength=graph.n_users)
    return np.concatenate([[0], np.cumsum(counts)]), np.concatenate([items, also_seen.items])[order]
