"""The sparse products of the engine on the CPU, by the compiled loops of :mod:`gnn.kernels`."""

from __future__ import annotations

import torch
from torch import Tensor

from gnn import edge_kernels, kernels
from gnn.adjacency import Adjacency


def product(adjacency: Adjacency, values: Tensor, x: Tensor) -> Tensor:
    """Matrix with the given entries times x, [nodes, d]."""
    x = x.contiguous()
    out = torch.empty_like(x)
    indptr, indices, parts = adjacency.indptr.numpy(), adjacency.indices.numpy(), adjacency.parts.numpy()
    kernels.spmm(indptr, indices, values.contiguous().numpy(), x.numpy(), parts, out.numpy())
    return out


def sampled_product(adjacency: Adjacency, left: Tensor, right: Tensor) -> Tensor:
    """<left[i], right[j]> for every entry (i, j); [entries]."""
    out = torch.empty(len(adjacency.indices), dtype=left.dtype)
    indptr, indices, parts = adjacency.indptr.numpy(), adjacency.indices.numpy(), adjacency.parts.numpy()
    kernels.sddmm(indptr, indices, left.contiguous().numpy(), right.contiguous().numpy(), parts, out.numpy())
    return out


def edge_softmax(adjacency: Adjacency, target: Tensor, source: Tensor, bias: Tensor, slope: float) -> Tensor:
    """Softmax over each row of LeakyReLU(target[i] + source[j] + bias); [entries]."""
    alpha = torch.empty_like(bias)
    kernels.edge_softmax(
        adjacency.indptr.numpy(),
        adjacency.indices.numpy(),
        target.contiguous().numpy(),
        source.contiguous().numpy(),
        bias.contiguous().numpy(),
        slope,
        adjacency.parts.numpy(),
        alpha.numpy(),
    )
    return alpha


def edge_softmax_backward(
    adjacency: Adjacency, target: Tensor, source: Tensor, bias: Tensor, slope: float, alpha: Tensor, grad: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of target [nodes], source [nodes] and bias [entries] from that of alpha [entries]."""
    grad_z, grad_target, grad_source = torch.empty_like(alpha), torch.empty_like(target), torch.empty_like(source)
    indptr, parts = adjacency.indptr.numpy(), adjacency.parts.numpy()
    kernels.edge_softmax_backward(
        indptr,
        adjacency.indices.numpy(),
        target.contiguous().numpy(),
        source.contiguous().numpy(),
        bias.contiguous().numpy(),
        slope,
        parts,
        alpha.numpy(),
        grad.contiguous().numpy(),
        grad_z.numpy(),
        grad_target.numpy(),
    )
    # Column sums are row sums in the order of the reversed entries.
    kernels.row_sums(indptr, adjacency.reverse.numpy(), grad_z.numpy(), parts, grad_source.numpy())
    return grad_target, grad_source, grad_z


def leaky_scores(adjacency: Adjacency, target: Tensor, source: Tensor, weight: Tensor, slope: float) -> Tensor:
    """<weight, LeakyReLU(target[i] + source[j])> for every entry (i, j); [entries]."""
    out = torch.empty(len(adjacency.indices), dtype=target.dtype)
    edge_kernels.leaky_scores(
        adjacency.indptr.numpy(),
        adjacency.indices.numpy(),
        target.contiguous().numpy(),
        source.contiguous().numpy(),
        weight.contiguous().numpy(),
        slope,
        adjacency.parts.numpy(),
        out.numpy(),
    )
    return out


def leaky_scores_backward(
    adjacency: Adjacency, target: Tensor, source: Tensor, weight: Tensor, slope: float, grad: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of target [nodes, d], source [nodes, d] and weight [d] from that of the scores."""
    target, source = target.contiguous(), source.contiguous()
    grad_target, grad_source = torch.zeros_like(target), torch.zeros_like(source)
    shares = torch.zeros(len(adjacency.parts) - 1, len(weight), dtype=weight.dtype)
    edge_kernels.leaky_scores_backward(
        adjacency.indptr.numpy(),
        adjacency.indices.numpy(),
        adjacency.reverse.numpy(),
        target.numpy(),
        source.numpy(),
        weight.contiguous().numpy(),
        slope,
        adjacency.parts.numpy(),
        grad.contiguous().numpy(),
        grad_target.numpy(),
        grad_source.numpy(),
        shares.numpy(),
    )
    return grad_target, grad_source, shares.sum(0)


def maximum(adjacency: Adjacency, values: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Highest weighted neighbour in each column, [nodes, d], and the entry it came from, int32; 0 and -1 without any."""
    x = x.contiguous()
    out, chosen = torch.empty_like(x), torch.empty(x.shape, dtype=torch.int32)
    indptr, indices, parts = adjacency.indptr.numpy(), adjacency.indices.numpy(), adjacency.parts.numpy()
    edge_kernels.maximum(indptr, indices, values.contiguous().numpy(), x.numpy(), parts, out.numpy(), chosen.numpy())
    return out, chosen


def maximum_backward(adjacency: Adjacency, values: Tensor, x: Tensor, chosen: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of values [entries] and x [nodes, d] from that of the maximum."""
    x = x.contiguous()
    grad_values, grad_x = torch.zeros_like(values), torch.zeros_like(x)
    edge_kernels.maximum_backward(
        adjacency.indptr.numpy(),
        adjacency.indices.numpy(),
        adjacency.reverse.numpy(),
        values.contiguous().numpy(),
        x.numpy(),
        adjacency.parts.numpy(),
        chosen.numpy(),
        grad.contiguous().numpy(),
        grad_values.numpy(),
        grad_x.numpy(),
    )
    return grad_values, grad_x
