from __future__ import annotations

import numpy as np
import pytest
import torch

from gnn.errors import DataError
from gnn.graph import build_graph
from tests.gnn.toy import dense, make_interactions, random_interactions


@pytest.fixture(params=[0, 1, 2])
def graph(request):
    interactions = random_interactions(request.param)
    return build_graph(interactions, np.arange(len(interactions)))


def test_every_edge_runs_in_both_directions(graph):
    plain = graph.plain.matrix.to_dense()
    assert torch.equal(plain, plain.t())
    assert torch.equal(plain > 0, torch.from_numpy(dense(graph) > 0))


def test_entries_are_normalised_by_both_degrees(graph):
    adjacency = dense(graph)
    scale = np.where(adjacency.sum(1) > 0, adjacency.sum(1), 1) ** -0.5
    np.testing.assert_allclose(graph.plain.matrix.to_dense(), scale[:, None] * adjacency * scale, rtol=1e-6)


def test_loops_are_added_to_every_node_and_counted_in_the_degree(graph):
    adjacency = dense(graph) + np.eye(graph.n_nodes)
    scale = adjacency.sum(1) ** -0.5
    np.testing.assert_allclose(graph.looped.matrix.to_dense(), scale[:, None] * adjacency * scale, rtol=1e-6)


@pytest.mark.parametrize("which", ["plain", "looped"])
def test_reverse_points_at_the_opposite_entry(graph, which):
    adjacency = getattr(graph, which)
    rows = torch.repeat_interleave(torch.arange(graph.n_nodes), adjacency.indptr.diff())
    reverse = adjacency.reverse.long()
    assert torch.equal(rows[reverse], adjacency.indices.long())
    assert torch.equal(adjacency.indices[reverse].long(), rows)
    assert torch.equal(adjacency.buckets[reverse], adjacency.buckets)
    columns_rise = adjacency.indices.diff() > 0
    assert bool((columns_rise | (rows.diff() > 0)).all())


def test_row_parts_cover_all_rows(graph):
    parts = graph.plain.parts.tolist()
    assert parts[0] == 0 and parts[-1] == graph.n_nodes
    assert parts == sorted(set(parts))


def test_nodes_without_edges_are_counted_not_hidden(graph):
    assert graph.cold_users >= 1 and graph.cold_items >= 1
    assert graph.user_degree[0] == 0 and graph.item_degree[0] == 0
    assert int(graph.user_degree.sum()) == int(graph.item_degree.sum()) == graph.n_edges


def test_a_repeated_pair_is_one_edge_with_its_latest_weight():
    interactions = make_interactions([(0, 0), (1, 1), (0, 0), (1, 0)], 2, 2, weight=[5, 1, 2, 5], timestamp=[30, 10, 20, 40])
    graph = build_graph(interactions, np.arange(4))
    assert graph.n_edges == 3
    # The pair (0, 0) was last seen at time 30 with weight 5; weights 1 and 5 remain, so there are two weight levels.
    assert graph.n_buckets == 2 * 3
    by_row = make_interactions([(0, 0), (1, 1), (0, 0)], 2, 2, weight=[5, 1, 1])
    assert build_graph(by_row, np.arange(3)).n_buckets == 1


def test_buckets_follow_weight_and_recency():
    pairs = [(u, i) for u in range(5) for i in range(4)]
    interactions = make_interactions(pairs, 5, 4, weight=[1.0 + i for _, i in pairs], timestamp=list(range(20)))
    graph = build_graph(interactions, np.arange(20))
    assert graph.n_buckets == 4 * 4
    first_half = graph.plain.buckets[:20].reshape(5, 4)
    assert torch.equal(first_half // 4, torch.arange(4).repeat(5, 1))
    recency = (first_half % 4).flatten()
    assert recency[0] == 0 and recency[-1] == 3 and bool((recency.diff() >= 0).all())


def test_continuous_weights_fall_into_quantiles():
    pairs = [(u, i) for u in range(10) for i in range(10)]
    interactions = make_interactions(pairs, 10, 10, weight=np.random.default_rng(0).random(100) * 50)
    graph = build_graph(interactions, np.arange(100))
    assert graph.n_buckets == 5
    assert torch.bincount(graph.plain.buckets).tolist() == pytest.approx([40] * 5, abs=2)


def test_bucket_histograms_match_the_matrix(graph):
    plain = graph.plain.matrix.to_dense()
    assert graph.bucket_mass.sum(1).numpy() == pytest.approx(plain.sum(1).numpy(), rel=1e-5)
    assert graph.bucket_share.sum(1).numpy() == pytest.approx((plain.sum(1) > 0).float().numpy(), rel=1e-5)


def test_no_training_interaction_is_an_error():
    with pytest.raises(DataError, match="no training interaction"):
        build_graph(random_interactions(), np.array([], dtype=np.int64))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_graph_can_lose_edges(share):
    interactions = random_interactions(4)
    graph = build_graph(interactions, np.arange(len(interactions)))
    thinned = graph.without_edges(share, torch.Generator().manual_seed(0))
    rows, columns = thinned.plain.rows, thinned.plain.indices.long()
    here = (thinned.plain.matrix.to_dense() > 0).float()
    assert 1 <= here.sum() / 2 <= graph.n_edges
    assert torch.equal(here, here.t()) and (here <= (graph.plain.matrix.to_dense() > 0)).all()
    degree = here.sum(1).clamp(min=1)
    torch.testing.assert_close(thinned.plain.matrix.to_dense(), here * degree[:, None] ** -0.5 * degree**-0.5)
    back = thinned.plain.reverse.long()
    assert torch.equal(rows[back], columns) and torch.equal(columns[back], rows)
    assert torch.equal(thinned.plain.buckets[back], thinned.plain.buckets)
    torch.testing.assert_close(thinned.bucket_share.sum(1), (here.sum(1) > 0).float())
    assert torch.equal(thinned.seen_items, graph.seen_items)
    if share == 0:
        assert torch.equal(thinned.plain.values, graph.plain.values)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(value):
    interactions = make_interactions([(0, 0), (1, 1)], 2, 2, weight=[1.0, value])
    with pytest.raises(DataError, match="1 of 2 training interactions have a weight that is not finite"):
        build_graph(interactions, np.arange(2))
