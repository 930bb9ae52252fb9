from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gnn import evaluate, kernels
from gnn.errors import DataError
from gnn.evaluate import EmbeddingScorer, build_targets, evaluate_test, evaluate_validation, places_before, top_unseen
from gnn.graph import build_graph
from gnn.metrics import auc
from gnn.protocol import METRIC_NAMES
from tests.gnn.toy import make_interactions, random_interactions


class MatrixScorer:
    def __init__(self, scores):
        self.scores = torch.as_tensor(scores, dtype=torch.float32)

    def score(self, users):
        return self.scores[users].clone()


def brute_force(scores, masked, wanted, k):
    """Metrics of one user from its sorted list; ``masked`` and ``wanted`` are sets of items."""
    order = sorted((item for item in range(len(scores)) if item not in masked), key=lambda item: (-scores[item], item))[:k]
    hits = [item in wanted for item in order]
    precision, recall = sum(hits) / k, sum(hits) / len(wanted)
    best = sum(1 / math.log2(place + 2) for place in range(min(len(wanted), k)))
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall) if sum(hits) else 0.0,
        "ndcg": sum(hit / math.log2(place + 2) for place, hit in enumerate(hits)) / best,
        "map": sum(sum(hits[: place + 1]) / (place + 1) for place, hit in enumerate(hits) if hit) / min(len(wanted), k),
        "mrr": 1 / (hits.index(True) + 1) if any(hits) else 0.0,
        "hit": float(any(hits)),
    }


def sets_of(interactions, index):
    sets = {}
    for user, item in zip(interactions.user[index].tolist(), interactions.item[index].tolist(), strict=True):
        sets.setdefault(user, set()).add(item)
    return sets


@pytest.mark.parametrize("scores_at_once", [1, 60, 10**6])
@pytest.mark.parametrize("tied", [False, True])
def test_both_evaluations_equal_brute_force(monkeypatch, scores_at_once, tied):
    monkeypatch.setattr(evaluate, "SCORES_AT_ONCE", scores_at_once)
    interactions = random_interactions(4, n_users=20, n_items=150, share=0.2)
    part = np.random.default_rng(0).integers(0, 3, len(interactions))
    train, valid, test = (np.flatnonzero(part == which) for which in range(3))
    graph = build_graph(interactions, train)
    valid_targets = build_targets(interactions, valid, graph)
    test_targets = build_targets(interactions, test, graph, valid_targets)
    generator = np.random.default_rng(1)
    scores = generator.integers(0, 6, (20, 150)) if tied else generator.random((20, 150))
    cutoffs = (1, 3, 10, 149, 400)
    seen, held, final = (sets_of(interactions, index) for index in (train, valid, test))
    validation = evaluate_validation(MatrixScorer(scores), graph, valid_targets, cutoffs)
    report = evaluate_test(MatrixScorer(scores), graph, test_targets, cutoffs, also_seen=valid_targets)
    for result, wanted, masked in (
        (validation, held, seen),
        (report, final, {user: seen.get(user, set()) | held.get(user, set()) for user in range(20)}),
    ):
        assert result.users.tolist() == sorted(wanted)
        for k in cutoffs:
            expected = [brute_force(scores[user], masked.get(user, set()), wanted[user], k) for user in result.users.tolist()]
            for name in METRIC_NAMES:
                values = [user[name] for user in expected]
                assert result.per_user[f"{name}@{k}"] == pytest.approx(values, abs=1e-6)
                assert result.values[f"{name}@{k}"] == pytest.approx(np.mean(values), abs=1e-6)
        for user, value in zip(result.users.tolist(), result.per_user["auc"], strict=True):
            unseen = [item for item in range(150) if item not in masked.get(user, set())]
            assert value == pytest.approx(auc(scores[user, unseen], np.isin(unseen, list(wanted[user]))), abs=1e-6)


def test_places_before_are_the_same_on_every_device():
    generator = np.random.default_rng(0)
    scores = generator.integers(0, 5, (6, 40)).astype(np.float32)
    scores[2, 3:30] = -np.inf
    scores[3, 5] = np.nan
    users, seen_indptr = np.array([0, 2, 3, 4, 6, 7]), np.arange(0, 18, 2)
    scores[:, :2] = -np.inf
    indptr, wanted = np.array([4, 6, 9, 10, 11, 14, 15]), np.array([99, 99, 99, 99, 2, 7, 3, 30, 8, 5, 5, 9, 2, 39, 4])
    compiled = np.empty(6)
    kernels.places_before(scores, users, seen_indptr, indptr, wanted, compiled)
    assert compiled.tolist() == places_before(torch.from_numpy(scores), users, seen_indptr, indptr, wanted).tolist()
    # Of 38 unseen columns 11 are finite and come before the other 27, which tie; the one that is no number comes after 37.
    assert compiled[2:4].tolist() == [11 + 27 / 2, 37 + 1 / 2]


def test_a_user_with_nothing_else_to_see_has_half_an_auc():
    interactions = make_interactions([(0, 0), (1, 0), (0, 1), (1, 1), (1, 2), (0, 2)], 2, 3)
    graph = build_graph(interactions, np.arange(2))
    targets = build_targets(interactions, np.array([2, 3, 5]), graph)
    values = evaluate_validation(MatrixScorer([[0, 2, 1], [0, 2, 1]]), graph, targets, [2]).per_user["auc"]
    assert values.tolist() == [0.5, 1.0]


def test_lists_are_described_by_training_interactions():
    # Item 0 has two training users, items 1 and 2 one each; user 0 is shown 2 and 3, user 1 is shown 3.
    interactions = make_interactions([(0, 0), (1, 0), (0, 1), (1, 2), (0, 2), (1, 3)], 2, 4)
    graph = build_graph(interactions, np.arange(4))
    targets = build_targets(interactions, np.array([4, 5]), graph)
    values = evaluate_validation(MatrixScorer([[0, 0, 2, 1], [0, -torch.inf, 0, 1]]), graph, targets, [2]).values
    assert values["popularity@2"] == pytest.approx((1 / 2 + 0) / 2)
    assert values["novelty@2"] == pytest.approx(1)
    assert values["coverage@2"] == 2 / 4
    # Sorted counts 0, 0, 1, 2: (-3*0 - 1*0 + 1*1 + 3*2) / (4 * 3).
    assert values["gini@2"] == pytest.approx(7 / 12)


def test_seen_items_are_never_listed_and_short_lists_end_in_minus_one():
    scores = torch.tensor([[5.0, 4.0, 3.0, 2.0], [1.0, 1.0, 2.0, 1.0]])
    listed = top_unseen(scores, np.array([0, 1]), np.array([0, 2, 2]), np.array([0, 1]), 3)
    assert listed.tolist() == [[2, 3, -1], [2, 0, 1]]


def test_scores_that_are_not_numbers_are_never_listed():
    scores = torch.tensor([[torch.nan, 1.0, -torch.inf, 2.0]])
    assert top_unseen(scores, np.array([0]), np.array([0, 0]), np.array([], dtype=np.int64), 4).tolist() == [[3, 1, -1, -1]]


def test_held_out_items_the_user_has_seen_are_no_targets():
    interactions = make_interactions([(0, 0), (0, 0), (0, 1), (0, 1), (1, 0), (1, 2)], 2, 3)
    graph = build_graph(interactions, np.array([0, 4]))
    targets = build_targets(interactions, np.array([1, 2, 3, 5]), graph)
    assert (targets.users.tolist(), targets.indptr.tolist(), targets.items.tolist()) == ([0, 1], [0, 1, 2], [1, 2])
    later = build_targets(interactions, np.array([3, 5]), graph, build_targets(interactions, np.array([2]), graph))
    assert (later.users.tolist(), later.items.tolist()) == ([1], [2])


def test_nothing_left_to_find_is_an_error():
    interactions = make_interactions([(0, 0), (0, 0)], 1, 1)
    graph = build_graph(interactions, np.array([0]))
    with pytest.raises(DataError, match="None of 1 held-out"):
        build_targets(interactions, np.array([1]), graph)
    with pytest.raises(DataError, match="None of 0 held-out"):
        build_targets(interactions, np.array([], dtype=np.int64), graph)


def test_an_embedding_scorer_multiplies():
    users, items = torch.arange(6.0).view(3, 2), torch.arange(8.0).view(4, 2)
    assert torch.equal(EmbeddingScorer(users, items).score(torch.tensor([2, 0])), (users @ items.t())[[2, 0]])
