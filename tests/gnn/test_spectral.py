from __future__ import annotations

import numpy as np
import torch

from gnn.graph import build_graph
from gnn.spectral import spectral_embeddings
from tests.gnn.toy import random_interactions


def _start(width, scale=0.1):
    interactions = random_interactions(n_users=31, n_items=23, share=0.3)
    graph = build_graph(interactions, np.arange(len(interactions)))
    return graph, spectral_embeddings(graph, width, scale, torch.Generator().manual_seed(0))


def test_embeddings_span_the_leading_singular_vectors():
    graph, start = _start(4)
    dense = graph.plain.matrix.to_dense()[: graph.n_users, graph.n_users :]
    left, singular, right = torch.linalg.svd(dense)
    known = graph.plain.degree[: graph.n_users] > 0
    users, items = start[: graph.n_users][known], start[graph.n_users :][graph.plain.degree[graph.n_users :] > 0]
    expected = (left[:, :4] * singular[:4]) @ right[:4]
    found = users @ items.t()
    expected = expected[known][:, graph.plain.degree[graph.n_users :] > 0]
    torch.testing.assert_close(found / found.norm(), expected / expected.norm(), atol=1e-3, rtol=1e-2)


def test_entries_have_the_asked_deviation_and_lonely_nodes_are_not_zero():
    graph, start = _start(8, scale=0.3)
    known = graph.plain.degree > 0
    assert 0.2 < float(start[known].std()) < 0.4
    assert (start[~known].norm(dim=1) > 0).all()


def test_noise_fills_directions_the_graph_does_not_have():
    graph, start = _start(64)
    assert start.shape == (graph.n_nodes, 64)
    assert torch.isfinite(start).all() and (start.std(0) > 0).all()
