from __future__ import annotations

import numpy as np
import pytest
import torch

from gnn.device import set_threads
from gnn.graph import build_graph
from gnn.negatives import NegativeSampler
from gnn.pairs import gathered_scores, pair_scores, squared_norm
from tests.gnn.toy import random_interactions


def case(n_users=7, n_items=5, d=6, pairs=40, count=3, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    users, items = (torch.randn(n, d, generator=generator, dtype=dtype, requires_grad=True) for n in (n_users, n_items))
    some = torch.randint(1, n_users, (pairs,), generator=generator)  # user 0 is in no pair
    return users, items, some, torch.randint(n_items - 1, (pairs, count), generator=generator)  # nor is the last item


def test_scores_and_gradients_are_numpys():
    users, items, some, of = case()
    scores = pair_scores(users, items, some, of)
    u, i = users.detach().numpy(), items.detach().numpy()
    np.testing.assert_allclose(scores.detach().numpy(), np.einsum("pd,pmd->pm", u[some], i[of]), rtol=1e-12)
    grad = torch.randn(scores.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    scores.backward(grad)
    grad_users, grad_items = np.zeros_like(u), np.zeros_like(i)
    np.add.at(grad_users, some.numpy(), np.einsum("pm,pmd->pd", grad.numpy(), i[of]))
    np.add.at(grad_items, of.numpy(), grad.numpy()[:, :, None] * u[some][:, None])
    np.testing.assert_allclose(users.grad.numpy(), grad_users, atol=1e-12)
    np.testing.assert_allclose(items.grad.numpy(), grad_items, atol=1e-12)
    assert not users.grad[0].any() and not items.grad[-1].any()


@pytest.mark.parametrize("count", [1, 4])
def test_gradients_are_finite_differences(count):
    users, items, some, of = case(pairs=9, count=count)
    assert torch.autograd.gradcheck(lambda u, i: pair_scores(u, i, some, of), (users, items))
    assert torch.autograd.gradcheck(lambda u: squared_norm(u, some), (users,))


@pytest.mark.parametrize(("d", "count"), [(64, 2), (65, 17), (1, 1)])
def test_compiled_loops_equal_torch_operations(d, count):
    ours = case(90, 50, d, 300, count, torch.float32)
    theirs = [x.detach().clone().requires_grad_(x.is_floating_point()) for x in ours]
    for scores, (users, items, _, _) in ((pair_scores(*ours), ours), (gathered_scores(*theirs), theirs)):
        (scores.sin().sum() + users.sum() + items.sum()).backward()
    torch.testing.assert_close(pair_scores(*ours), gathered_scores(*theirs))
    for mine, other in zip(ours[:2], theirs[:2], strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-4, atol=1e-4)


def test_threads_do_not_change_a_bit():
    results = []
    for threads in (1, 2):
        set_threads(threads)
        users, items, some, of = case(200, 120, 64, 1000, 5, torch.float32)
        scores = pair_scores(users, items, some, of)
        scores.sin().sum().backward()
        results.append((scores.detach(), users.grad, items.grad))
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def test_parts_of_larger_tensors_are_taken_as_they_lie():
    users, items, some, of = case()
    wide = torch.cat([users, items])
    halves = wide.t().contiguous().t().split([len(users), len(items)])
    torch.testing.assert_close(pair_scores(*halves, some.expand(1, -1)[0], of.t().contiguous().t()), pair_scores(users, items, some, of))


def test_the_squared_norm_counts_rows_as_often_as_they_occur():
    x = torch.tensor([[3.0, 4.0], [1.0, 0.0], [7.0, 7.0]], requires_grad=True)
    total = squared_norm(x, torch.tensor([0, 1, 1, 0, 1]))
    assert total.item() == pytest.approx(53)
    (0.5 * total).backward()
    assert x.grad.tolist() == [[6.0, 8.0], [3.0, 0.0], [0.0, 0.0]]


def test_unseen_items_are_those_of_the_torch_operations():
    interactions = random_interactions(4, n_users=40, n_items=30)
    sampler = NegativeSampler(build_graph(interactions, np.arange(len(interactions))))
    users = torch.arange(40).repeat_interleave(50).view(-1, 5)
    share = torch.rand(users.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert torch.equal(sampler(users, torch.Generator().manual_seed(3)), sampler.ranked(users, share))
