"""Differentiable products with an :class:`~gnn.adjacency.Adjacency`, without scatter operations."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from gnn import cpu_products, torch_products
from gnn.adjacency import Adjacency


def spmm(adjacency: Adjacency, x: Tensor) -> Tensor:
    """Sum each node's neighbours with the adjacency's own symmetric values; x and the result are [nodes, d]."""
    return _SymmetricProduct.apply(adjacency, x)


def spmm_weighted(adjacency: Adjacency, values: Tensor, x: Tensor, *, symmetric: bool = False) -> Tensor:
    """Sum each node's neighbours with learned values.

    Args:
        values: one per entry, [entries]; gradients flow to it.
        x: [nodes, d].
        symmetric: promise that (i, j) and (j, i) have the same value, which saves a reordering.
    """
    return _WeightedProduct.apply(adjacency, values, x, symmetric)


def edge_softmax(adjacency: Adjacency, target: Tensor, source: Tensor, bias: Tensor, slope: float) -> Tensor:
    """Attention of each entry (i, j): softmax over row i of LeakyReLU(target[i] + source[j] + bias of the entry).

    Args:
        target, source: [nodes].
        bias: [entries].
        slope: of LeakyReLU below zero.
    """
    return _EdgeSoftmax.apply(adjacency, target, source, bias, slope)


def entry_products(adjacency: Adjacency, left: Tensor, right: Tensor) -> Tensor:
    """<left[i], right[j]> for every entry (i, j); left and right are [nodes, d], the result is [entries]."""
    return _EntryProducts.apply(adjacency, left, right)


def leaky_scores(adjacency: Adjacency, target: Tensor, source: Tensor, weight: Tensor, slope: float) -> Tensor:
    """<weight, LeakyReLU(target[i] + source[j])> for every entry (i, j), [entries].

    Args:
        target, source: [nodes, d].
        weight: [d].
        slope: of LeakyReLU below zero.
    """
    return _LeakyScores.apply(adjacency, target, source, weight, slope)


def maximum(adjacency: Adjacency, values: Tensor, x: Tensor) -> Tensor:
    """Highest of values[e] * x[j] over each node's neighbours j, column by column; 0 for a node without any.

    Args:
        values: one per entry, [entries].
        x: [nodes, d].
    """
    return _Maximum.apply(adjacency, values, x)


def spread_buckets(adjacency: Adjacency, table: Tensor) -> Tensor:
    """Give every entry the value of its edge's bucket: [buckets] -> [entries]."""
    return _SpreadBuckets.apply(adjacency, table)


def _products(tensor: Tensor) -> ModuleType:
    return cpu_products if tensor.device.type == "cpu" else torch_products


class _SymmetricProduct(Function):
    @staticmethod
    def forward(ctx: Any, adjacency: Adjacency, x: Tensor) -> Tensor:
        ctx.adjacency = adjacency
        return _products(x).product(adjacency, adjacency.values, x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:
        # The matrix is its own transpose.
        return None, _products(grad).product(ctx.adjacency, ctx.adjacency.values, grad)


class _WeightedProduct(Function):
    @staticmethod
    def forward(ctx: Any, adjacency: Adjacency, values: Tensor, x: Tensor, symmetric: bool) -> Tensor:
        ctx.adjacency, ctx.symmetric = adjacency, symmetric
        ctx.save_for_backward(values, x)
        return _products(x).product(adjacency, values, x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, Tensor, None]:
        values, x = ctx.saved_tensors
        adjacency: Adjacency = ctx.adjacency
        transposed = values if ctx.symmetric else values.index_select(0, adjacency.reverse)
        products = _products(grad)
        return None, products.sampled_product(adjacency, grad, x), products.product(adjacency, transposed, grad), None


class _SpreadBuckets(Function):
    @staticmethod
    def forward(ctx: Any, adjacency: Adjacency, table: Tensor) -> Tensor:
        ctx.adjacency, ctx.size = adjacency, len(table)
        return table.index_select(0, adjacency.buckets)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:
        return None, torch.bincount(ctx.adjacency.buckets, weights=grad, minlength=ctx.size).to(grad.dtype)


class _EdgeSoftmax(Function):
    @staticmethod
    def forward(ctx: Any, adjacency: Adjacency, target: Tensor, source: Tensor, bias: Tensor, slope: float) -> Tensor:
        alpha: Tensor = _products(target).edge_softmax(adjacency, target, source, bias, slope)
        ctx.adjacency, ctx.slope = adjacency, slope
        ctx.save_for_backward(target, source, bias, alpha)
        return alpha

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, Tensor, Tensor, None]:
        target, source, bias, alpha = ctx.saved_tensors
        backward = _products(grad).edge_softmax_backward
        return None, *backward(ctx.adjacency, target, source, bias, ctx.slope, alpha, grad), None


class _EntryProducts(Function):
    @staticmethod
    def forward(ctx: Any, adjacency: Adjacency, left: Tensor, right: Tensor) -> Tensor:
        ctx.adjacency = adjacency
        ctx.save_for_backward(left, right)
        return _products(left).sampled_product(adjacency, left, right)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, Tensor]:
        left, right = ctx.saved_tensors
        adjacency: Adjacency = ctx.adjacency
        product = _products(grad).product
        return None, product(adjacency, grad, right), product(adjacency, grad.index_select(0, adjacency.reverse), left)


class _LeakyScores(Function):
    @staticmethod
    def forward(ctx: Any, adjacency: Adjacency, target: Tensor, source: Tensor, weight: Tensor, slope: float) -> Tensor:
        ctx.adjacency, ctx.slope = adjacency, slope
        ctx.save_for_backward(target, source, weight)
        return _products(target).leaky_scores(adjacency, target, source, weight, slope)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, Tensor, Tensor, None]:
        target, source, weight = ctx.saved_tensors
        return None, *_products(grad).leaky_scores_backward(ctx.adjacency, target, source, weight, ctx.slope, grad), None


class _Maximum(Function):
    @staticmethod
    def forward(ctx: Any, adjacency: Adjacency, values: Tensor, x: Tensor) -> Tensor:
        out, chosen = _products(x).maximum(adjacency, values, x)
        ctx.adjacency = adjacency
        ctx.save_for_backward(values, x, chosen)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, Tensor]:
        values, x, chosen = ctx.saved_tensors
        return None, *_products(grad).maximum_backward(ctx.adjacency, values, x, chosen, grad)
