from __future__ import annotations

import numpy as np
import pytest
import torch

from gnn import cpu_products, kernels, torch_products
from gnn.device import set_threads
from gnn.graph import build_graph
from gnn.spmm import edge_softmax, entry_products, leaky_scores, maximum, spmm, spmm_weighted, spread_buckets
from tests.gnn.toy import random_interactions

WIDTH = 5


@pytest.fixture(params=[0, 3], scope="module")
def adjacency(request):
    interactions = random_interactions(request.param, n_users=23, n_items=17, share=0.4)
    return build_graph(interactions, np.arange(len(interactions))).plain


def rows_of(adjacency):
    return torch.repeat_interleave(torch.arange(adjacency.n_nodes), adjacency.indptr.diff())


def dense_of(adjacency, values):
    """A matrix with the given entries, differentiable."""
    empty = values.new_zeros(adjacency.n_nodes, adjacency.n_nodes)
    return empty.index_put((rows_of(adjacency), adjacency.indices.long()), values)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def assert_same_gradients(ours, reference, inputs):
    """Two computations agree in value and, along a random direction, in every gradient."""
    torch.testing.assert_close(ours, reference, rtol=1e-4, atol=1e-5)
    direction = torch.randn(ours.shape, generator=torch.Generator().manual_seed(9))
    for got, wanted in zip(torch.autograd.grad(ours, inputs, direction), torch.autograd.grad(reference, inputs, direction), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)


def test_symmetric_product_equals_the_dense_one(adjacency):
    x = draw(adjacency.n_nodes, WIDTH)
    assert_same_gradients(spmm(adjacency, x), dense_of(adjacency, adjacency.values) @ x, [x])


@pytest.mark.parametrize("width", [1, 3, 4, 7, 16, 23, 64, 87, 192])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_width_is_summed_to_its_last_column(adjacency, width, dtype):
    """Columns are taken 64, 16, 4 and 1 at a time; each must be there once, and a node without neighbours be zero."""
    x, values = draw(adjacency.n_nodes, width).to(dtype), adjacency.values.to(dtype)
    out = cpu_products.product(adjacency, values, x.detach())
    torch.testing.assert_close(out, dense_of(adjacency, values) @ x.detach())


def test_a_matrix_too_large_for_caches_is_summed_alike():
    """Rows are then asked for ahead, up to the last entry and not beyond."""
    interactions = random_interactions(1, n_users=1200, n_items=900, share=0.01)
    large = build_graph(interactions, np.arange(len(interactions))).plain
    x = draw(large.n_nodes, 1030).detach()
    assert x.nbytes > kernels.NEAR
    torch.testing.assert_close(cpu_products.product(large, large.values, x), torch.sparse.mm(large.matrix, x))


def test_weighted_product_equals_the_dense_one(adjacency):
    x, values = draw(adjacency.n_nodes, WIDTH), draw(len(adjacency.indices), seed=1)
    assert_same_gradients(spmm_weighted(adjacency, values, x), dense_of(adjacency, values) @ x, [values, x])


def test_symmetric_values_need_no_reordering(adjacency):
    x, table = draw(adjacency.n_nodes, WIDTH), draw(64, seed=1)
    values = spread_buckets(adjacency, table)
    reference = dense_of(adjacency, table[adjacency.buckets]) @ x
    assert_same_gradients(spmm_weighted(adjacency, values, x, symmetric=True), reference, [table, x])


def test_edge_softmax_equals_the_dense_one(adjacency):
    target, source, bias = draw(adjacency.n_nodes), draw(adjacency.n_nodes, seed=1), draw(len(adjacency.indices), seed=2)
    rows, columns = rows_of(adjacency), adjacency.indices.long()
    z = torch.nn.functional.leaky_relu(target[rows] + source[columns] + bias, 0.2)
    full = torch.full((adjacency.n_nodes, adjacency.n_nodes), -torch.inf).index_put((rows, columns), z)
    # Rows without entries would be NaN in the dense softmax; they have no entry to compare.
    reference = torch.softmax(full, dim=1)[rows, columns]
    assert_same_gradients(edge_softmax(adjacency, target, source, bias, 0.2), reference, [target, source, bias])


def test_entry_products_equal_the_dense_ones(adjacency):
    left, right = draw(adjacency.n_nodes, WIDTH), draw(adjacency.n_nodes, WIDTH, seed=1)
    reference = (left @ right.t())[rows_of(adjacency), adjacency.indices.long()]
    assert_same_gradients(entry_products(adjacency, left, right), reference, [left, right])


def test_leaky_scores_equal_the_dense_ones(adjacency):
    target, source, weight = draw(adjacency.n_nodes, WIDTH), draw(adjacency.n_nodes, WIDTH, seed=1), draw(WIDTH, seed=2)
    reference = torch.nn.functional.leaky_relu(target[:, None] + source[None], 0.2) @ weight
    reference = reference[rows_of(adjacency), adjacency.indices.long()]
    assert_same_gradients(leaky_scores(adjacency, target, source, weight, 0.2), reference, [target, source, weight])


def test_maximum_equals_the_dense_one(adjacency):
    x, values = draw(adjacency.n_nodes, WIDTH), draw(len(adjacency.indices), seed=1)
    weighted = torch.where(
        dense_of(adjacency, torch.ones_like(values))[:, :, None] > 0, dense_of(adjacency, values)[:, :, None] * x, -torch.inf
    )
    has_any = adjacency.indptr.diff() > 0
    reference = torch.where(has_any[:, None], weighted.amax(1), 0.0)
    assert_same_gradients(maximum(adjacency, values, x), reference, [values, x])


def test_gradients_match_finite_differences(adjacency):
    """The compiled loops are generic in precision, so differences can be taken where they are accurate."""
    x = draw(adjacency.n_nodes, 2).double().detach().requires_grad_()
    values = draw(len(adjacency.indices), seed=1).double().detach().requires_grad_()
    few = torch.randperm(len(values), generator=torch.Generator().manual_seed(0))[:4]
    direction = torch.randn(adjacency.n_nodes, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    def value(entries):
        return float((spmm_weighted(adjacency, entries, x.detach()) * direction).sum())

    (gradient,) = torch.autograd.grad((spmm_weighted(adjacency, values, x) * direction).sum(), [values])
    for place in few.tolist():
        step = torch.zeros_like(values.detach())
        step[place] = 1e-6
        difference = (value(values.detach() + step) - value(values.detach() - step)) / 2e-6
        assert difference == pytest.approx(float(gradient[place]), rel=1e-6, abs=1e-8)


def test_both_implementations_agree(adjacency):
    x, y = draw(adjacency.n_nodes, WIDTH).detach(), draw(adjacency.n_nodes, WIDTH, seed=1).detach()
    target, source, bias = x[:, 0], y[:, 0], draw(len(adjacency.indices), seed=2).detach()
    close = torch.testing.assert_close
    close(cpu_products.product(adjacency, bias, x), torch_products.product(adjacency, bias, x))
    close(cpu_products.sampled_product(adjacency, x, y), torch_products.sampled_product(adjacency, x, y))
    alpha = cpu_products.edge_softmax(adjacency, target, source, bias, 0.2)
    close(alpha, torch_products.edge_softmax(adjacency, target, source, bias, 0.2))
    arguments = (adjacency, target, source, bias, 0.2, alpha, y.sum(1)[adjacency.indices.long()])
    for ours, theirs in zip(cpu_products.edge_softmax_backward(*arguments), torch_products.edge_softmax_backward(*arguments), strict=True):
        close(ours, theirs, rtol=1e-4, atol=1e-6)
    arguments = (adjacency, x, y, x[0], 0.2)
    close(cpu_products.leaky_scores(*arguments), torch_products.leaky_scores(*arguments))
    both = cpu_products.leaky_scores_backward(*arguments, bias), torch_products.leaky_scores_backward(*arguments, bias)
    for ours, theirs in zip(*both, strict=True):
        close(ours, theirs, rtol=1e-4, atol=1e-5)
    highest, chosen = cpu_products.maximum(adjacency, bias, x)
    for ours, theirs in zip((highest, chosen), torch_products.maximum(adjacency, bias, x), strict=True):
        close(ours, theirs)
    arguments = (adjacency, bias, x, chosen, y)
    for ours, theirs in zip(cpu_products.maximum_backward(*arguments), torch_products.maximum_backward(*arguments), strict=True):
        close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_the_number_of_threads_does_not_change_a_bit(adjacency):
    x = draw(adjacency.n_nodes, WIDTH).detach()
    results = []
    for threads in (1, 2):
        set_threads(threads)
        results.append(spmm(adjacency, x))
    set_threads(1)
    assert torch.equal(*results)


def test_not_a_number_stays_visible(adjacency):
    x = draw(adjacency.n_nodes, WIDTH).detach()
    x[int(adjacency.indices[0])] = torch.nan
    assert torch.isnan(spmm(adjacency, x)).any()
    assert torch.isnan(maximum(adjacency, adjacency.values, x)).any()
