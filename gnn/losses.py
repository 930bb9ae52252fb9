"""Training objectives."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from gnn.sampling import UserBlock


def bpr(positive: Tensor, negative: Tensor) -> Tensor:
    """Bayesian personalised ranking (Rendle et al. 2009, arXiv 1205.2618): mean of -log sigmoid(positive - negative).

    Args:
        positive, negative: scores of the seen and the unseen item of each pair, [pairs].
    """
    return torch.nn.functional.softplus(negative - positive).mean()


def catalogue_softmax(users: Tensor, items: Tensor, block: UserBlock, temperature: float, rows_at_once: int) -> Tensor:
    """Mean over the block's positives of -log softmax over the whole catalogue.

    The gradient is exact and computed with the value, so no more than ``rows_at_once`` rows of scores
    exist at any time.

    Args:
        users: embeddings of the block's users, [B, d].
        items: embeddings of all items, [n_items, d].
        block: which items are positives of which row.
        temperature: scores are divided by it.
        rows_at_once: memory bound; does not change the result beyond rounding.
    """
    return _CatalogueSoftmax.apply(users, items, block, temperature, rows_at_once)


class _CatalogueSoftmax(Function):
    @staticmethod
    def forward(ctx: Any, users: Tensor, items: Tensor, block: UserBlock, temperature: float, rows_at_once: int) -> Tensor:
        grad_users = torch.empty_like(users)
        grad_items = torch.zeros_like(items)
        count = torch.bincount(block.rows, minlength=len(users)).to(users.dtype)
        limits = torch.cat([count.new_zeros(1, dtype=torch.long), count.long().cumsum(0)])
        share = 1.0 / len(block.rows)
        loss = users.new_zeros(())
        for start in range(0, len(users), rows_at_once):
            stop = min(start + rows_at_once, len(users))
            some = slice(int(limits[start]), int(limits[stop]))
            rows, columns = block.rows[some] - start, block.items[some]
            chunk, weight = users[start:stop] / temperature, count[start:stop]
            logits = chunk @ items.t()
            place = rows * logits.shape[1] + columns
            positive = logits.view(-1)[place]
            highest = logits.amax(1)
            chance = torch.softmax(logits, dim=1)
            # log of the normaliser: the largest chance is exp(highest - it).
            normaliser = highest - chance.amax(1).log()
            loss += share * ((normaliser * weight).sum() - positive.sum())
            # d loss / d logits, each row divided by its number of positives until the last products.
            chance.view(-1)[place] -= (1.0 / weight)[rows]
            grad_users[start:stop] = (chance @ items) * (weight * (share / temperature))[:, None]
            grad_items += chance.t() @ (chunk * (weight * share)[:, None])
        ctx.save_for_backward(grad_users, grad_items)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        grad_users, grad_items = ctx.saved_tensors
        return grad * grad_users, grad * grad_items, None, None, None
