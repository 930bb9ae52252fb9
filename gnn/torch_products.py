"""The sparse products of the engine in torch operations, for any device; the CPU has faster ones."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from gnn.adjacency import Adjacency


def product(adjacency: Adjacency, values: Tensor, x: Tensor) -> Tensor:
    """Matrix with the given entries times x, [nodes, d]."""
    return adjacency.matrix_of(values) @ x


def sampled_product(adjacency: Adjacency, left: Tensor, right: Tensor) -> Tensor:
    """<left[i], right[j]> for every entry (i, j); [entries]."""
    pattern = adjacency.matrix_of(torch.zeros_like(adjacency.values))
    return torch.sparse.sampled_addmm(pattern, left, right.t(), beta=0.0).values()


def edge_softmax(adjacency: Adjacency, target: Tensor, source: Tensor, bias: Tensor, slope: float) -> Tensor:
    """Softmax over each row of LeakyReLU(target[i] + source[j] + bias); [entries]."""
    z = functional.leaky_relu(_before_leak(adjacency, target, source, bias), slope)
    lengths = adjacency.indptr.diff()
    highest = torch.segment_reduce(z, "max", lengths=lengths, initial=-torch.inf)
    weight = (z - highest.repeat_interleave(lengths)).exp()
    return weight / torch.segment_reduce(weight, "sum", lengths=lengths).repeat_interleave(lengths)


def edge_softmax_backward(
    adjacency: Adjacency, target: Tensor, source: Tensor, bias: Tensor, slope: float, alpha: Tensor, grad: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of target [nodes], source [nodes] and bias [entries] from that of alpha [entries]."""
    lengths = adjacency.indptr.diff()
    mean = torch.segment_reduce(alpha * grad, "sum", lengths=lengths).repeat_interleave(lengths)
    leak = torch.where(_before_leak(adjacency, target, source, bias) < 0, slope, 1.0)
    grad_z = alpha * (grad - mean) * leak
    grad_target = torch.segment_reduce(grad_z, "sum", lengths=lengths)
    # Column sums are row sums in the order of the reversed entries.
    grad_source = torch.segment_reduce(grad_z.index_select(0, adjacency.reverse), "sum", lengths=lengths)
    return grad_target, grad_source, grad_z


def _before_leak(adjacency: Adjacency, target: Tensor, source: Tensor, bias: Tensor) -> Tensor:
    return target.repeat_interleave(adjacency.indptr.diff()) + source.index_select(0, adjacency.indices) + bias
