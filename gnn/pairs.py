"""Differentiable scores of chosen pairs of a user and items, and the norm of chosen rows."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from gnn import pair_kernels


def pair_scores(users: Tensor, items: Tensor, some: Tensor, of: Tensor) -> Tensor:
    """<users[some[p]], items[of[p, m]]>, [P, M].

    Args:
        users, items: embeddings, [n_users, d] and [n_items, d].
        some: users, int64 [P]; may repeat.
        of: items of each, int64 [P, M]; may repeat.
    """
    if users.device.type == "cpu":
        return _PairScores.apply(users.contiguous(), items.contiguous(), some.contiguous(), of.contiguous())
    return gathered_scores(users, items, some, of)


def gathered_scores(users: Tensor, items: Tensor, some: Tensor, of: Tensor) -> Tensor:
    """The same in torch operations, for any device; the CPU has faster ones."""
    # Faster than a batched matrix product, whose matrices would be tiny.
    return (rows(items, of) * rows(users, some)[:, None]).sum(2)


def rows(x: Tensor, index: Tensor) -> Tensor:
    """x[index], for indices of any shape; indexing itself has a slower backward."""
    return x.index_select(0, index.flatten()).view(*index.shape, x.shape[1])


def squared_norm(x: Tensor, index: Tensor) -> Tensor:
    """Sum of the squares of the rows of x, [n, d], at ``index``, int64 [m]; a row that repeats counts as often."""
    return _SquaredNorm.apply(x, torch.bincount(index, minlength=len(x)))


class _PairScores(Function):
    @staticmethod
    def forward(ctx: Any, users: Tensor, items: Tensor, some: Tensor, of: Tensor) -> Tensor:
        ctx.save_for_backward(users, items, some, of)
        out = users.new_empty(of.shape)
        pair_kernels.scores(*(x.detach().numpy() for x in (users, items, some, of, out)))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        users, items, some, of = ctx.saved_tensors
        grads = torch.empty_like(users), torch.empty_like(items)
        pair_kernels.scores_backward(*(x.detach().numpy() for x in (users, items, some, of, grad.contiguous(), *grads)))
        return *grads, None, None


class _SquaredNorm(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, count: Tensor) -> Tensor:
        weight = count.to(x.dtype)
        ctx.save_for_backward(x, weight)
        return torch.linalg.vector_norm(x, dim=1).square() @ weight

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        x, weight = ctx.saved_tensors
        return x * (2 * grad * weight)[:, None], None
