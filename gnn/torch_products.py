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


def leaky_scores(adjacency: Adjacency, target: Tensor, source: Tensor, weight: Tensor, slope: float) -> Tensor:
    """<weight, LeakyReLU(target[i] + source[j])> for every entry (i, j); [entries]."""
    return functional.leaky_relu(_pairs(adjacency, target, source), slope) @ weight


def leaky_scores_backward(
    adjacency: Adjacency, target: Tensor, source: Tensor, weight: Tensor, slope: float, grad: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of target [nodes, d], source [nodes, d] and weight [d] from that of the scores."""
    lengths = adjacency.indptr.diff()
    z = _pairs(adjacency, target, source)
    grad_weight = functional.leaky_relu(z, slope).t() @ grad
    grad_z = torch.where(z > 0, 1.0, slope) * weight * grad[:, None]
    grad_target = torch.segment_reduce(grad_z, "sum", lengths=lengths, axis=0)
    # Column sums are row sums in the order of the reversed entries.
    grad_source = torch.segment_reduce(grad_z.index_select(0, adjacency.reverse), "sum", lengths=lengths, axis=0)
    return grad_target, grad_source, grad_weight


def maximum(adjacency: Adjacency, values: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Highest weighted neighbour in each column, [nodes, d], and the entry it came from, int32; 0 and -1 without any."""
    lengths = adjacency.indptr.diff()
    weighted = values[:, None] * x.index_select(0, adjacency.indices)
    highest = torch.segment_reduce(weighted, "max", lengths=lengths, axis=0, initial=-torch.inf)
    entry = torch.arange(len(values), device=x.device, dtype=torch.float64)[:, None]
    # Double precision counts entries exactly; segments cannot reduce integers.
    at = torch.where(weighted == highest.repeat_interleave(lengths, 0), entry, torch.inf)
    chosen = torch.segment_reduce(at, "min", lengths=lengths, axis=0, initial=torch.inf)
    empty = (lengths == 0)[:, None]
    return highest.masked_fill(empty, 0.0), chosen.masked_fill(torch.isinf(chosen), -1).int()


def maximum_backward(adjacency: Adjacency, values: Tensor, x: Tensor, chosen: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of values [entries] and x [nodes, d] from that of the maximum."""
    lengths = adjacency.indptr.diff()
    entry = torch.arange(len(values), device=x.device, dtype=torch.int32)[:, None]
    passed = torch.where(chosen.repeat_interleave(lengths, 0) == entry, grad.repeat_interleave(lengths, 0), 0.0)
    grad_values = (passed * x.index_select(0, adjacency.indices)).sum(1)
    back = (passed * values[:, None]).index_select(0, adjacency.reverse)
    return grad_values, torch.segment_reduce(back, "sum", lengths=lengths, axis=0)


def _pairs(adjacency: Adjacency, target: Tensor, source: Tensor) -> Tensor:
    """target[i] + source[j] for every entry (i, j); [entries, d]."""
    return target.repeat_interleave(adjacency.indptr.diff(), 0) + source.index_select(0, adjacency.indices)
