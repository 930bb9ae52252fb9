"""Differentiable products with an :class:`~gnn.adjacency.Adjacency`, without scatter operations.

On the CPU they run the kernels of :mod:`gnn.kernels`; on other devices, torch's own CSR products.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from gnn import kernels
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


def spread_buckets(adjacency: Adjacency, table: Tensor) -> Tensor:
    """Give every entry the value of its edge's bucket: [buckets] -> [entries]."""
    return _SpreadBuckets.apply(adjacency, table)


def _product(adjacency: Adjacency, values: Tensor, x: Tensor) -> Tensor:
    if x.device.type != "cpu":
        return adjacency.matrix_of(values) @ x
    x = x.contiguous()
    out = torch.empty_like(x)
    kernels.spmm(
        adjacency.indptr.numpy(), adjacency.indices.numpy(), values.numpy(), x.numpy(), adjacency.parts.numpy(), out.numpy()
    )  # fmt: skip
    return out


def _sampled_product(adjacency: Adjacency, left: Tensor, right: Tensor) -> Tensor:
    """<left[i], right[j]> for every entry (i, j); [entries]."""
    if left.device.type != "cpu":
        pattern = adjacency.matrix_of(torch.zeros_like(adjacency.values))
        return torch.sparse.sampled_addmm(pattern, left, right.t(), beta=0.0).values()
    out = torch.empty(len(adjacency.indices), dtype=left.dtype)
    kernels.sddmm(
        adjacency.indptr.numpy(),
        adjacency.indices.numpy(),
        left.contiguous().numpy(),
        right.contiguous().numpy(),
        adjacency.parts.numpy(),
        out.numpy(),
    )
    return out


class _SymmetricProduct(Function):
    @staticmethod
    def forward(ctx: Any, adjacency: Adjacency, x: Tensor) -> Tensor:
        ctx.adjacency = adjacency
        return _product(adjacency, adjacency.values, x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:
        # The matrix is its own transpose.
        return None, _product(ctx.adjacency, ctx.adjacency.values, grad)


class _WeightedProduct(Function):
    @staticmethod
    def forward(ctx: Any, adjacency: Adjacency, values: Tensor, x: Tensor, symmetric: bool) -> Tensor:
        ctx.adjacency, ctx.symmetric = adjacency, symmetric
        ctx.save_for_backward(values, x)
        return _product(adjacency, values, x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor | None, Tensor | None, None]:
        values, x = ctx.saved_tensors
        adjacency: Adjacency = ctx.adjacency
        grad_values = _sampled_product(adjacency, grad, x) if ctx.needs_input_grad[1] else None
        transposed = values if ctx.symmetric else values.index_select(0, adjacency.reverse)
        return None, grad_values, _product(adjacency, transposed, grad), None


class _SpreadBuckets(Function):
    @staticmethod
    def forward(ctx: Any, adjacency: Adjacency, table: Tensor) -> Tensor:
        ctx.adjacency, ctx.size = adjacency, len(table)
        return table.index_select(0, adjacency.buckets)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:
        # bincount is one pass in a fixed order; index_add would be neither on the devices we care about.
        return None, torch.bincount(ctx.adjacency.buckets, weights=grad, minlength=ctx.size).to(grad.dtype)


class _EdgeSoftmax(Function):
    @staticmethod
    def forward(ctx: Any, adjacency: Adjacency, target: Tensor, source: Tensor, bias: Tensor, slope: float) -> Tensor:
        target, source = target.contiguous(), source.contiguous()
        if target.device.type == "cpu":
            alpha = torch.empty_like(bias)
            kernels.edge_softmax(
                adjacency.indptr.numpy(),
                adjacency.indices.numpy(),
                target.numpy(),
                source.numpy(),
                bias.numpy(),
                slope,
                adjacency.parts.numpy(),
                alpha.numpy(),
            )
        else:
            z = torch.nn.functional.leaky_relu(_before_leak(adjacency, target, source, bias), slope)
            lengths = adjacency.indptr.diff()
            highest = torch.segment_reduce(z, "max", lengths=lengths, initial=-torch.inf)
            weight = (z - highest.repeat_interleave(lengths)).exp()
            alpha = weight / torch.segment_reduce(weight, "sum", lengths=lengths).repeat_interleave(lengths)
        ctx.adjacency, ctx.slope = adjacency, slope
        ctx.save_for_backward(target, source, bias, alpha)
        return alpha

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, Tensor, Tensor, None]:
        target, source, bias, alpha = ctx.saved_tensors
        adjacency: Adjacency = ctx.adjacency
        grad = grad.contiguous()
        if grad.device.type == "cpu":
            grad_z, grad_target, grad_source = torch.empty_like(alpha), torch.empty_like(target), torch.empty_like(source)
            indptr, parts = adjacency.indptr.numpy(), adjacency.parts.numpy()
            kernels.edge_softmax_backward(
                indptr,
                adjacency.indices.numpy(),
                target.numpy(),
                source.numpy(),
                bias.numpy(),
                ctx.slope,
                parts,
                alpha.numpy(),
                grad.numpy(),
                grad_z.numpy(),
                grad_target.numpy(),
            )
            kernels.row_sums(indptr, adjacency.reverse.numpy(), grad_z.numpy(), parts, grad_source.numpy())
        else:
            lengths = adjacency.indptr.diff()
            mean = torch.segment_reduce(alpha * grad, "sum", lengths=lengths).repeat_interleave(lengths)
            leak = torch.where(_before_leak(adjacency, target, source, bias) < 0, ctx.slope, 1.0)
            grad_z = alpha * (grad - mean) * leak
            grad_target = torch.segment_reduce(grad_z, "sum", lengths=lengths)
            grad_source = torch.segment_reduce(grad_z[adjacency.reverse], "sum", lengths=lengths)
        return None, grad_target, grad_source, grad_z, None


def _before_leak(adjacency: Adjacency, target: Tensor, source: Tensor, bias: Tensor) -> Tensor:
    return target.repeat_interleave(adjacency.indptr.diff()) + source[adjacency.indices] + bias
