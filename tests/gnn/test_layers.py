"""Every operator against an independent dense formula and against PyG's own module."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.nn import GATConv, GCNConv, LGConv, SAGEConv

from gnn.errors import SpaceError
from gnn.graph import build_graph
from gnn.layers import OPERATORS, make_operator
from tests.gnn.toy import dense, random_interactions

DIM, EDGE_DIM = 6, 3


@pytest.fixture(params=[0, 1, 2], scope="module")
def graph(request):
    interactions = random_interactions(request.param)
    return build_graph(interactions, np.arange(len(interactions)))


def drawn(operator, seed=0):
    """All weights random, also those that start at zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in operator.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
    return operator


def make(name, edge_dim=0):
    return drawn(make_operator(name, DIM, edge_dim))


def inputs(graph, edge_dim):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(graph.n_nodes, DIM, generator=generator).requires_grad_()
    edges = torch.randn(graph.n_buckets, edge_dim, generator=generator).requires_grad_() if edge_dim else None
    return x, edges


def edge_index_of(adjacency):
    """PyG's form: (source, target) per entry."""
    rows = torch.repeat_interleave(torch.arange(adjacency.n_nodes), adjacency.indptr.diff())
    return torch.stack([adjacency.indices.long(), rows])


def dense_operator(name, operator, x, edges, graph):
    """The operator's formula with full matrices; edge terms one bucket at a time."""
    adjacency = torch.from_numpy(dense(graph)).float()
    loops = torch.eye(graph.n_nodes)
    with_loops = adjacency + loops
    bucket = torch.full((graph.n_nodes, graph.n_nodes), -1)
    source, target = edge_index_of(graph.plain)
    bucket[target, source] = graph.plain.buckets
    gate = torch.ones_like(adjacency)
    if edges is not None and name != "gat":
        per_bucket = 1 + torch.tanh(edges @ operator.gate)
        for b in range(graph.n_buckets):
            gate = gate + (bucket == b) * (per_bucket[b] - 1)
    degree = adjacency.sum(1).clamp(min=1)
    mean = adjacency / degree[:, None]
    light = adjacency * degree[:, None] ** -0.5 * degree**-0.5

    def messages(weight):
        """Sum over a node's edges of their weight times their bucket's message."""
        share = torch.stack([(weight * (bucket == b)).sum(1) for b in range(graph.n_buckets)], dim=1)
        return share @ (edges @ operator.message_weight)

    if name == "lightgcn":
        out, additive = (light * gate) @ x, light
    elif name == "gcn":
        loop_degree = with_loops.sum(1)
        matrix = with_loops * loop_degree[:, None] ** -0.5 * loop_degree**-0.5
        out, additive = (matrix * gate) @ x @ operator.lin.weight.t() + operator.lin.bias, light
    elif name == "sage":
        gathered = (mean * gate) @ x + (messages(mean) if edges is not None else 0)
        return gathered @ operator.lin.weight.t() + operator.lin.bias + x @ operator.root.weight.t()
    else:
        hidden = x @ operator.lin.weight.t()
        z = (hidden @ operator.target)[:, None] + (hidden @ operator.source)[None, :]
        if edges is not None:
            for b in range(graph.n_buckets):
                z = z + (bucket == b) * (edges[b] @ operator.edge)
        z = torch.nn.functional.leaky_relu(z, 0.2).masked_fill(with_loops == 0, -torch.inf)
        out, additive = torch.softmax(z, dim=1) @ hidden + operator.lin.bias, mean
    return out if edges is None else out + messages(additive)


@pytest.mark.parametrize("edge_dim", [0, EDGE_DIM])
@pytest.mark.parametrize("name", list(OPERATORS))
def test_operator_equals_its_dense_formula_in_value_and_gradients(name, edge_dim, graph):
    operator = make(name, edge_dim)
    x, edges = inputs(graph, edge_dim)
    ours, reference = operator(x, graph, edges), dense_operator(name, operator, x, edges, graph)
    torch.testing.assert_close(ours, reference, rtol=1e-4, atol=1e-5)
    learned = [x, *([] if edges is None else [edges]), *operator.parameters()]
    direction = torch.randn(ours.shape, generator=torch.Generator().manual_seed(2))
    for got, wanted in zip(torch.autograd.grad(ours, learned, direction), torch.autograd.grad(reference, learned, direction), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-3, atol=1e-5)


def test_lightgcn_equals_pyg(graph):
    x, _ = inputs(graph, 0)
    torch.testing.assert_close(make("lightgcn")(x, graph, None), LGConv()(x, edge_index_of(graph.plain)))


def test_gcn_equals_pyg(graph):
    operator, x = make("gcn"), inputs(graph, 0)[0]
    theirs = GCNConv(DIM, DIM)
    theirs.load_state_dict({"lin.weight": operator.lin.weight, "bias": operator.lin.bias})
    torch.testing.assert_close(operator(x, graph, None), theirs(x, edge_index_of(graph.plain)), rtol=1e-4, atol=1e-5)


def test_sage_equals_pyg(graph):
    operator, x = make("sage"), inputs(graph, 0)[0]
    theirs = SAGEConv(DIM, DIM, aggr="mean")
    theirs.load_state_dict({"lin_l.weight": operator.lin.weight, "lin_l.bias": operator.lin.bias, "lin_r.weight": operator.root.weight})
    torch.testing.assert_close(operator(x, graph, None), theirs(x, edge_index_of(graph.plain)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("edge_dim", [0, EDGE_DIM])
def test_gat_equals_pyg(graph, edge_dim):
    operator = make("gat", edge_dim)
    x, edges = inputs(graph, edge_dim)
    theirs = GATConv(DIM, DIM, edge_dim=edge_dim or None, fill_value=0.0)
    state = {
        "lin.weight": operator.lin.weight,
        "bias": operator.lin.bias,
        "att_src": operator.source.view(1, 1, -1),
        "att_dst": operator.target.view(1, 1, -1),
    }
    attributes = None
    if edges is not None:
        # PyG maps edge attributes to the node width before its dot product; a_edge . e is one row of that.
        state["lin_edge.weight"] = torch.cat([operator.edge[None], torch.zeros(DIM - 1, EDGE_DIM)])
        state["att_edge"] = torch.cat([torch.ones(1), torch.zeros(DIM - 1)]).view(1, 1, -1)
        attributes = edges[graph.plain.buckets]
        with torch.no_grad():
            operator.message_weight.zero_()  # PyG's edges only steer the attention
    theirs.load_state_dict(state)
    torch.testing.assert_close(operator(x, graph, edges), theirs(x, edge_index_of(graph.plain), attributes), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", list(OPERATORS))
def test_propagation_changes_users_and_items(name, graph):
    operator = make_operator(name, DIM, 0)
    operator.initialise(torch.Generator().manual_seed(0))
    x, _ = inputs(graph, 0)
    moved = (operator(x, graph, None) - x).abs().amax(1) > 1e-3
    assert moved[: graph.n_users][graph.user_degree > 0].all()
    assert moved[graph.n_users :][graph.item_degree > 0].all()


@pytest.mark.parametrize("name", list(OPERATORS))
def test_edges_start_without_influence_but_learn(name, graph):
    operator = make_operator(name, DIM, EDGE_DIM)
    operator.initialise(torch.Generator().manual_seed(0))
    x, edges = inputs(graph, EDGE_DIM)
    plain = make_operator(name, DIM, 0)
    plain.load_state_dict({n: p for n, p in operator.state_dict().items() if n in plain.state_dict()})
    out = operator(x, graph, edges)
    torch.testing.assert_close(out, plain(x, graph, None))
    out.square().sum().backward()
    assert operator.message_weight.grad.abs().sum() > 0
    steering = operator.edge if name == "gat" else operator.gate
    assert steering.grad.abs().sum() > 0


def test_messages_are_never_scattered_over_edges(graph, monkeypatch):
    """PyG must take the fused path: its scatter path costs twenty times as much."""
    for name in OPERATORS:
        operator = make(name)
        monkeypatch.setattr(operator, "message", lambda *_: pytest.fail("messages were materialised"))
        operator(inputs(graph, 0)[0], graph, None)


def test_an_unknown_operator_lists_the_choices():
    with pytest.raises(SpaceError, match="lightgcn, gcn, sage, gat"):
        make_operator("gin", DIM, 0)
