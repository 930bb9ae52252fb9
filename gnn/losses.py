"""Training objectives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import softplus
from torch.utils.checkpoint import checkpoint

from gnn.sampling import UserBlock


def bpr(positive: Tensor, negative: Tensor) -> Tensor:
    """Bayesian personalised ranking (Rendle et al. 2009, arXiv 1205.2618): mean of -log sigmoid(positive - negative).

    Args:
        positive: scores of the seen items, [P].
        negative: scores of the unseen items each is compared with, [P, N].
    """
    return softplus(negative - positive[:, None]).mean()


def bce(positive: Tensor, negative: Tensor) -> Tensor:
    """Binary cross-entropy: mean of -log sigmoid(positive) plus mean of -log(1 - sigmoid(negative)); [P] and [P, N]."""
    return softplus(-positive).mean() + softplus(negative).mean()


def constrained_bce(positive: Tensor, negative: Tensor, positive_weight: Tensor, negative_weight: Tensor) -> Tensor:
    """UltraGCN's constraint (Mao et al. 2021, arXiv 2110.15114): cross-entropy with a weight per pair.

    Args:
        positive, positive_weight: [P].
        negative, negative_weight: [P, N].
    """
    return (positive_weight * softplus(-positive)).mean() + (negative_weight * softplus(negative)).mean()


def margin_loss(positive: Tensor, negative: Tensor, margin: float) -> Tensor:
    """Hinge: mean of max(0, margin - positive + negative); [P] and [P, N]."""
    return torch.relu(margin - positive[:, None] + negative).mean()


def cosine_contrastive(positive: Tensor, negative: Tensor, margin: float, weight: float) -> Tensor:
    """SimpleX's CCL (Mao et al. 2021, arXiv 2109.12613): mean of 1 - positive plus weight times mean of max(0, negative - margin).

    Args:
        positive, negative: cosines, [P] and [P, N].
    """
    return (1 - positive).mean() + weight * torch.relu(negative - margin).mean()


def sampled_softmax(positive: Tensor, candidates: Tensor, same: Tensor) -> Tensor:
    """Mean of -log softmax of each positive among itself and the candidates.

    Args:
        positive: scores over temperature, corrected for popularity or not, [P].
        candidates: those of the items that stand for the catalogue, [P, C].
        same: where a candidate is the positive itself and must not count twice, bool [P, C].
    """
    others = candidates.masked_fill(same, -torch.inf)
    return (torch.logsumexp(torch.cat([positive[:, None], others], dim=1), dim=1) - positive).mean()


def alignment(users: Tensor, items: Tensor) -> Tensor:
    """Mean squared distance between users and their items, both of unit length, [P, d]."""
    return (users - items).square().sum(1).mean()


def uniformity(x: Tensor, rows_at_once: int) -> Tensor:
    """Log of the mean of exp(-2 d^2) over all pairs of distinct rows of x, of unit length, [P, d]; 0 for a single row.

    With :func:`alignment` it is DirectAU (Wang et al. 2022, arXiv 2206.12811).

    Args:
        rows_at_once: memory bound; does not change the result beyond rounding.
    """
    n = len(x)
    if n < 2:
        return x.sum() * 0
    place = torch.arange(n, device=x.device)

    def part(some: slice) -> Tensor:
        exponents = 4 * (x[some] @ x.t()) - 4
        return torch.logsumexp(exponents.masked_fill(place <= place[some, None], -torch.inf).flatten(), dim=0)

    # Each pair counts once, in the row that comes first; the last row never does.
    return torch.logsumexp(in_parts(n - 1, rows_at_once, part), dim=0) - math.log(n * (n - 1) / 2)


def in_parts(n: int, rows_at_once: int, part: Callable[[slice], Tensor]) -> Tensor:
    """The scalars that ``part`` makes of consecutive slices of ``n`` rows, [slices].

    Where there are several, only one is in memory at a time: the gradient computes each again.
    """
    slices = [slice(start, min(start + rows_at_once, n)) for start in range(0, n, rows_at_once)]
    if len(slices) == 1:
        return part(slices[0])[None]
    return torch.stack([checkpoint(part, some, use_reentrant=False, preserve_rng_state=False) for some in slices])


def catalogue_softmax(
    users: Tensor, items: Tensor, block: UserBlock, temperature: float, rows_at_once: int, *, rivals: bool = True
) -> Tensor:
    """Mean over the block's positives of -log softmax over the whole catalogue.

    The gradient is exact and computed with the value, so no more than ``rows_at_once`` rows of scores
    exist at any time.

    Args:
        users: embeddings of the block's users, [B, d].
        items: embeddings of all items, [n_items, d].
        block: which items are positives of which row.
        temperature: scores are divided by it.
        rows_at_once: memory bound; does not change the result beyond rounding.
        rivals: whether a user's positives compete with each other, as in a multinomial likelihood (Liang et al. 2018,
            arXiv 1802.05814), or each only with the other items.
    """
    return _CatalogueSoftmax.apply(users, items, block, temperature, rows_at_once, rivals)


class _CatalogueSoftmax(Function):
    @staticmethod
    def forward(ctx: Any, users: Tensor, items: Tensor, block: UserBlock, temperature: float, rows_at_once: int, rivals: bool) -> Tensor:
        grad_users = torch.empty_like(users)
        grad_items = torch.zeros_like(items)
        count = torch.bincount(block.rows, minlength=len(users))
        limits = torch.cat([count.new_zeros(1), count.cumsum(0)])
        loss = users.new_zeros(())
        for start in range(0, len(users), rows_at_once):
            stop = min(start + rows_at_once, len(users))
            some = slice(int(limits[start]), int(limits[stop]))
            chunk = users[start:stop] / temperature
            part, gradient = _softmax_gradient(chunk @ items.t(), block.rows[some] - start, block.items[some], rivals)
            loss += part / len(block.rows)
            grad_users[start:stop] = (gradient @ items) / (temperature * len(block.rows))
            grad_items += gradient.t() @ (chunk / len(block.rows))
        ctx.save_for_backward(grad_users, grad_items)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None, None, None]:
        grad_users, grad_items = ctx.saved_tensors
        return grad * grad_users, grad * grad_items, None, None, None, None


def _softmax_gradient(logits: Tensor, rows: Tensor, columns: Tensor, rivals: bool) -> tuple[Tensor, Tensor]:
    """Sum of -log softmax of the entries (rows, columns), each in its row, and its gradient.

    Args:
        logits: [B, n_items]; overwritten.
    """
    odds = logits.float()
    place = rows * odds.shape[1] + columns
    positive = odds.view(-1)[place]
    if not rivals:
        odds.view(-1)[place] = -torch.inf
    # A row of positives alone has no rival at all.
    highest = odds.amax(1).clamp(min=torch.finfo(odds.dtype).min)
    total = odds.sub_(highest[:, None]).exp_().sum(1)
    gap = (highest + total.log())[rows] - positive
    if rivals:
        odds.mul_((torch.bincount(rows, minlength=len(odds)) / total)[:, None])
        odds.view(-1)[place] -= 1.0
        return gap.sum(), odds
    missed = torch.sigmoid(gap)
    odds.mul_((total.new_zeros(len(odds)).index_add_(0, rows, missed) / total.clamp(min=torch.finfo(total.dtype).tiny))[:, None])
    odds.view(-1)[place] = -missed
    return softplus(gap).sum(), odds
