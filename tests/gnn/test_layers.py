"""Every operator against an independent dense formula and against PyG's own module."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.nn import GATConv, GATv2Conv, GCNConv, GINConv, LGConv, SAGEConv, SGConv, TransformerConv

from gnn.errors import SpaceError
from gnn.graph import build_graph
from gnn.layers import ATTENTION, OPERATORS, make_operator
from tests.gnn.toy import dense, random_interactions

DIM, EDGE_DIM = 6, 3
PROPAGATING = [name for name in OPERATORS if name != "identity"]


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


def make(name, edge_dim=0, heads=1):
    return drawn(make_operator(name, DIM, edge_dim, heads))


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
    with_loops = adjacency + torch.eye(graph.n_nodes)
    bucket = torch.full((graph.n_nodes, graph.n_nodes), -1)
    source, target = edge_index_of(graph.plain)
    bucket[target, source] = graph.plain.buckets
    degree = adjacency.sum(1).clamp(min=1)
    mean = adjacency / degree[:, None]
    light = adjacency * degree[:, None] ** -0.5 * degree**-0.5
    loop_degree = with_loops.sum(1)
    looped = with_loops * loop_degree[:, None] ** -0.5 * loop_degree**-0.5
    gate = torch.ones_like(adjacency)
    if edges is not None and hasattr(operator, "gate"):
        for b, value in enumerate(1 + torch.tanh(edges @ operator.gate)):
            gate = gate + (bucket == b) * (value - 1)

    def messages(weight):
        """Sum over a node's edges of their weight times their bucket's message."""
        if edges is None:
            return 0
        share = torch.stack([(weight * (bucket == b)).sum(1) for b in range(graph.n_buckets)], dim=1)
        return share @ (edges @ operator.message_weight)

    def attention(hidden, logits, mask, after=lambda z: z):
        """Heads side by side; logits of a head are given as a function of its slice."""
        width, parts = DIM // operator.heads, []
        for head in range(operator.heads):
            z = logits(head, slice(head * width, (head + 1) * width))
            if edges is not None:
                for b in range(graph.n_buckets):
                    z = z + (bucket == b) * (edges[b] @ operator.edge[:, head])
            alpha = torch.softmax(after(z).masked_fill(mask == 0, -torch.inf), dim=1).nan_to_num(0.0)
            parts.append(alpha @ hidden[:, head * width : (head + 1) * width])
        return torch.cat(parts, dim=1) + operator.lin.bias + messages(mean)

    leaky = torch.nn.functional.leaky_relu
    match name:
        case "lightgcn":
            return (light * gate) @ x + messages(light)
        case "sgc":
            return (looped * gate) @ x + messages(light)
        case "lr_gccf":
            return (looped * gate) @ x @ operator.lin.weight.t() + x + messages(light)
        case "gcn":
            return (looped * gate) @ x @ operator.lin.weight.t() + operator.lin.bias + messages(light)
        case "ngcf":
            gathered = (light * gate) @ x + messages(light)
            return (x + gathered) @ operator.lin.weight.t() + operator.lin.bias + (gathered * x) @ operator.product.weight.t()
        case "sage":
            gathered = (mean * gate) @ x + messages(mean)
            return gathered @ operator.lin.weight.t() + operator.lin.bias + x @ operator.root.weight.t()
        case "sage_max":
            each = (gate[:, :, None] * x[None]).masked_fill((adjacency == 0)[:, :, None], -torch.inf).amax(1)
            highest = torch.where(adjacency.sum(1, keepdim=True) > 0, each, 0.0) + messages(mean)
            return highest @ operator.lin.weight.t() + operator.lin.bias + x @ operator.root.weight.t()
        case "gin":
            total = (1 + operator.eps) * x + (adjacency * gate) @ x + messages(adjacency)
            return operator.second(torch.relu(operator.first(total)))
        case "identity":
            return x
    hidden = x @ operator.lin.weight.t()
    if name == "gat":
        t, s = operator.target, operator.source
        logits = lambda h, at: (hidden[:, at] @ t[h])[:, None] + (hidden[:, at] @ s[h])[None, :]  # noqa: E731
        return attention(hidden, logits, with_loops, lambda z: leaky(z, 0.2))
    if name == "gatv2":
        asking = x @ operator.target.weight.t()
        return attention(hidden, lambda h, at: leaky(asking[:, None, at] + hidden[None, :, at], 0.2) @ operator.weight[h], with_loops)
    queries, keys = x @ operator.query.weight.t(), x @ operator.key.weight.t()
    scaled = (DIM // operator.heads) ** 0.5
    return attention(hidden, lambda _, at: queries[:, at] @ keys[:, at].t() / scaled, adjacency) + x @ operator.root.weight.t()


@pytest.mark.parametrize("edge_dim", [0, EDGE_DIM])
@pytest.mark.parametrize(("name", "heads"), [*((name, 1) for name in OPERATORS), *((name, 3) for name in ATTENTION)])
def test_operator_equals_its_dense_formula_in_value_and_gradients(name, heads, edge_dim, graph):
    operator = make(name, edge_dim, heads)
    x, edges = inputs(graph, edge_dim)
    ours, reference = operator(x, graph, edges), dense_operator(name, operator, x, edges, graph)
    torch.testing.assert_close(ours, reference, rtol=1e-4, atol=1e-5)
    learned = [x, *([] if edges is None or name == "identity" else [edges]), *operator.parameters()]
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


def test_sgc_equals_pyg(graph):
    x, _ = inputs(graph, 0)
    theirs = SGConv(DIM, DIM, K=1, bias=False)
    theirs.load_state_dict({"lin.weight": torch.eye(DIM)})
    torch.testing.assert_close(make("sgc")(x, graph, None), theirs(x, edge_index_of(graph.plain)))


def test_gin_equals_pyg(graph):
    operator, x = make("gin"), inputs(graph, 0)[0]
    theirs = GINConv(torch.nn.Sequential(operator.first, torch.nn.ReLU(), operator.second), eps=operator.eps.item())
    torch.testing.assert_close(operator(x, graph, None), theirs(x, edge_index_of(graph.plain)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "aggregation"), [("sage", "mean"), ("sage_max", "max")])
def test_sage_equals_pyg(graph, name, aggregation):
    operator, x = make(name), inputs(graph, 0)[0]
    theirs = SAGEConv(DIM, DIM, aggr=aggregation)
    theirs.load_state_dict({"lin_l.weight": operator.lin.weight, "lin_l.bias": operator.lin.bias, "lin_r.weight": operator.root.weight})
    torch.testing.assert_close(operator(x, graph, None), theirs(x, edge_index_of(graph.plain)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("heads", [1, 2])
def test_gatv2_equals_pyg(graph, heads):
    operator, x = make("gatv2", heads=heads), inputs(graph, 0)[0]
    theirs = GATv2Conv(DIM, DIM // heads, heads)
    theirs.load_state_dict(
        {
            "lin_l.weight": operator.lin.weight,
            "lin_l.bias": torch.zeros(DIM),
            "lin_r.weight": operator.target.weight,
            "lin_r.bias": torch.zeros(DIM),
            "att": operator.weight[None],
            "bias": operator.lin.bias,
        }
    )
    torch.testing.assert_close(operator(x, graph, None), theirs(x, edge_index_of(graph.plain)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("heads", [1, 2])
def test_graph_transformer_equals_pyg(graph, heads):
    operator, x = make("graph_transformer", heads=heads), inputs(graph, 0)[0]
    theirs = TransformerConv(DIM, DIM // heads, heads)
    state = {"lin_value.weight": operator.lin.weight, "lin_skip.weight": operator.root.weight, "lin_skip.bias": operator.lin.bias}
    state |= {"lin_query.weight": operator.query.weight, "lin_key.weight": operator.key.weight}
    theirs.load_state_dict(state | {f"lin_{part}.bias": torch.zeros(DIM) for part in ("query", "key", "value")})
    torch.testing.assert_close(operator(x, graph, None), theirs(x, edge_index_of(graph.plain)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("edge_dim", "heads"), [(0, 1), (0, 2), (EDGE_DIM, 1)])
def test_gat_equals_pyg(graph, edge_dim, heads):
    operator = make("gat", edge_dim, heads)
    x, edges = inputs(graph, edge_dim)
    theirs = GATConv(DIM, DIM // heads, heads, edge_dim=edge_dim or None, fill_value=0.0)
    state = {
        "lin.weight": operator.lin.weight,
        "bias": operator.lin.bias,
        "att_src": operator.source[None],
        "att_dst": operator.target[None],
    }
    attributes = None
    if edges is not None:
        # PyG maps edge attributes to the node width before its dot product; a_edge . e is one row of that.
        state["lin_edge.weight"] = torch.cat([operator.edge.t(), torch.zeros(DIM - 1, EDGE_DIM)])
        state["att_edge"] = torch.cat([torch.ones(1), torch.zeros(DIM - 1)]).view(1, 1, -1)
        attributes = edges[graph.plain.buckets]
        with torch.no_grad():
            operator.message_weight.zero_()  # PyG's edges only steer the attention
    theirs.load_state_dict(state)
    torch.testing.assert_close(operator(x, graph, edges), theirs(x, edge_index_of(graph.plain), attributes), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", PROPAGATING)
def test_propagation_changes_users_and_items(name, graph):
    operator = make_operator(name, DIM, 0)
    operator.initialise(torch.Generator().manual_seed(0))
    x, _ = inputs(graph, 0)
    moved = (operator(x, graph, None) - x).abs().amax(1) > 1e-3
    assert moved[: graph.n_users][graph.user_degree > 0].all()
    assert moved[graph.n_users :][graph.item_degree > 0].all()


@pytest.mark.parametrize("name", PROPAGATING)
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
    steering = operator.edge if name in ATTENTION else operator.gate
    assert steering.grad.abs().sum() > 0


def test_messages_are_never_scattered_over_edges(graph, monkeypatch):
    """PyG must take the fused path: its scatter path costs twenty times as much."""
    for name in OPERATORS:
        operator = make(name)
        monkeypatch.setattr(operator, "message", lambda *_: pytest.fail("messages were materialised"))
        operator(inputs(graph, 0)[0], graph, None)


def test_an_unknown_operator_lists_the_choices():
    with pytest.raises(SpaceError, match="lightgcn, sgc, .*identity"):
        make_operator("transformer", DIM, 0)


def test_heads_that_do_not_divide_the_embedding_are_refused():
    with pytest.raises(SpaceError, match="4 heads do not divide a node embedding of size 6") as caught:
        make_operator("gatv2", DIM, 0, 4)
    assert caught.value.field == "heads"
