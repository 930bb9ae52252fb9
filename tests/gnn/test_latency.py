from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from gnn.evaluate import EmbeddingScorer
from gnn.graph import Graph, build_graph
from gnn.latency import USERS, WARM_UP, latency_ms
from tests.gnn.toy import random_interactions


class Sleeper:
    """Scores at random after a while, and longer for the users that warm up."""

    def __init__(self, n_items: int, seconds: float) -> None:
        self.n_items, self.seconds = n_items, seconds
        self.asked: list[int] = []

    def score(self, users: torch.Tensor) -> torch.Tensor:
        self.asked += users.tolist()
        time.sleep(self.seconds * (20 if len(self.asked) <= WARM_UP else 1))
        return torch.rand(len(users), self.n_items)


def graph_of(n_users: int) -> Graph:
    interactions = random_interactions(n_users=n_users)
    return build_graph(interactions, np.arange(len(interactions)))


def test_the_wait_is_told_in_milliseconds_without_the_warm_up():
    graph = graph_of(13)
    sleeper = Sleeper(graph.n_items, 0.02)
    assert 20 <= latency_ms(sleeper, graph, 5) < 200
    assert sorted(sleeper.asked[WARM_UP:]) == list(range(13))


def test_many_users_are_represented_by_some_of_them():
    graph = graph_of(400)
    sleeper = Sleeper(graph.n_items, 0.0)
    latency_ms(sleeper, graph, 5)
    measured = sleeper.asked[WARM_UP:]
    assert len(measured) == len(set(measured)) == USERS
    assert (min(measured), max(measured)) == (0, 399)


@pytest.mark.parametrize("k", [1, 9, 1000])
def test_lists_may_be_longer_than_the_catalogue(k):
    graph = graph_of(13)
    assert latency_ms(EmbeddingScorer(torch.rand(13, 4), torch.rand(graph.n_items, 4)), graph, k) > 0
