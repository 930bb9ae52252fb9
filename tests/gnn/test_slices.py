from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from gnn.evaluate import EmbeddingScorer, build_targets, evaluate_test, evaluate_validation
from gnn.found import found_items
from gnn.graph import build_graph
from gnn.interactions import Interactions
from gnn.protocol import Protocol
from gnn.slices import GROUPS, Slice, Slices, by_activity, by_popularity, quantile_groups, standard_errors
from gnn.splits import split
from tests.gnn.toy import random_interactions


def test_groups_are_of_one_size_and_equals_stay_together() -> None:
    assert quantile_groups(np.arange(8)).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert quantile_groups(np.array([1, 1, 1, 1, 1, 1, 1, 9])).tolist() == [0] * 7 + [1]
    assert quantile_groups(np.array([5, 5])).tolist() == [0, 0]
    generator = np.random.default_rng(0)
    values = generator.integers(1, 50, 1000)
    groups = quantile_groups(values)
    assert set(groups) == set(range(GROUPS))
    assert all(values[groups == number].max() < values[groups == number + 1].min() for number in range(GROUPS - 1))


def test_means_and_errors_by_activity_are_those_of_the_textbook() -> None:
    users, activity = np.array([0, 2, 3, 5]), np.array([4, 99, 1, 9, 99, 1])
    values = {"ndcg@5": np.array([0.5, 0.1, 0.9, 0.3], dtype=np.float32)}
    slices = by_activity(values, ["ndcg@5"], users, activity)
    # Activity of the four is 4, 1, 9, 1: two of one, one of four, one of nine.
    assert [(part.low, part.high, part.size) for part in slices] == [(1, 1, 2), (4, 4, 1), (9, 9, 1)]
    mean, error = slices[0].values["ndcg@5"]
    assert mean == pytest.approx(0.2)
    assert error == pytest.approx(np.std([0.1, 0.3], ddof=1) / np.sqrt(2), rel=1e-5)
    assert slices[1].values["ndcg@5"] == (0.5, 0.0)
    assert standard_errors(values)["ndcg@5"] == pytest.approx(np.std([0.5, 0.1, 0.9, 0.3], ddof=1) / 2, rel=1e-5)


def test_the_error_of_a_share_by_popularity_counts_users_not_interactions() -> None:
    generator = np.random.default_rng(1)
    n_users, each = 400, 5
    owner, items = np.repeat(np.arange(n_users), each), np.tile(np.arange(each), n_users)
    found = np.repeat(generator.random(n_users) < 0.3, each)  # all of a user's items or none
    (only,) = by_popularity(found, "recall@5", owner, items, np.full(each, 7))
    share, error = only.values["recall@5"]
    assert (only.low, only.high, only.size) == (7, 7, n_users * each)
    assert share == pytest.approx(found.mean(), rel=1e-5)
    # A user is one draw, so the error is that of the mean of 400 coins, not of 2,000.
    assert error == pytest.approx(found.reshape(n_users, each)[:, 0].std(ddof=1) / np.sqrt(n_users), rel=1e-5)


def test_slices_survive_json_and_the_empty_document_is_none() -> None:
    slices = Slices({"ndcg@5": 0.01}, [Slice(1, 3, 20, {"ndcg@5": (0.2, 0.01)})], [Slice(2, 9, 40, {"recall@5": (0.1, 0.02)})])
    assert Slices.from_json(json.loads(json.dumps(slices.to_json()))) == slices
    assert Slices.from_json({}) is None


def toy() -> tuple[Interactions, Protocol]:
    return random_interactions(n_users=60, n_items=40), Protocol(ks=(5,), k=5)


def test_found_items_agree_with_the_recall_of_the_evaluation() -> None:
    interactions, protocol = toy()
    parts = split(interactions, protocol)
    graph = build_graph(interactions, parts.train)
    valid = build_targets(interactions, parts.valid, graph)
    test = build_targets(interactions, parts.test, graph, also_seen=valid)
    generator = torch.Generator().manual_seed(0)
    scorer = EmbeddingScorer(torch.randn(graph.n_users, 4, generator=generator), torch.randn(graph.n_items, 4, generator=generator))
    for targets, seen in ((valid, None), (test, valid)):
        found = found_items(scorer, graph, targets, 5, also_seen=seen)
        recall = np.add.reduceat(found.astype(float), targets.indptr[:-1]) / np.diff(targets.indptr)
        scores = (
            evaluate_validation(scorer, graph, targets, (5,))
            if seen is None
            else evaluate_test(scorer, graph, targets, (5,), also_seen=seen)
        )
        assert 0 < found.sum() < len(found)
        np.testing.assert_allclose(recall, scores.per_user["recall@5"], rtol=1e-6)
