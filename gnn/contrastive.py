"""Contrastive terms: embeddings of a node should agree between two disturbed views."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from gnn.model import Draw, Recommender

MAX_NODES = 1024
"""Users, and items, compared in one step; more are a random part."""


def info_nce(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Mean of -log softmax of each row's cosine with its counterpart among those with all rows of ``second``; [B, d]."""
    cosines = functional.normalize(first) @ functional.normalize(second).t() / temperature
    return (torch.logsumexp(cosines, dim=1) - cosines.diagonal()).mean()


def contrast(model: Recommender, outputs: list[Tensor], users: Tensor, items: Tensor, draw: Draw) -> Tensor:
    """The term of one step over its users and items, each as often as once.

    SGL (Wu et al. 2021, arXiv 2010.10783) compares two graphs with edges missing, SimGCL (Yu et al. 2022,
    arXiv 2112.08679) two passes with noise, XSimGCL (Yu et al. 2023, arXiv 2209.02544) the last layer of the
    step's own noisy pass with the first; where there is one layer, with the embeddings.

    Args:
        outputs: of the step's own pass, see :meth:`Recommender.propagate`.
        users, items: codes, int64.
    """
    settings = model.settings
    if settings.contrastive == "xsimgcl":
        first, second = outputs[-1], outputs[1 if len(outputs) > 2 else 0]
    elif settings.contrastive == "simgcl":
        noisy = replace(draw, noise=settings.contrastive_noise)
        first, second = (model.combine(model.propagate(noisy)) for _ in range(2))
    else:
        first, second = (
            model.combine(model.propagate(draw, model.graph.without_edges(settings.contrastive_drop, draw.generator))) for _ in range(2)
        )
    total = first.new_zeros(())
    for nodes in (users, model.graph.n_users + items):
        some = _part(nodes.unique(), draw.generator)
        total = total + info_nce(first.index_select(0, some), second.index_select(0, some), settings.contrastive_temperature)
    return total


def _part(nodes: Tensor, generator: torch.Generator) -> Tensor:
    if len(nodes) <= MAX_NODES:
        return nodes
    return nodes[torch.randperm(len(nodes), generator=generator)[:MAX_NODES].to(nodes.device)]
