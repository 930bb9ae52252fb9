"""Node embeddings to start training from: the smoothest directions of the graph instead of noise."""

from __future__ import annotations

import torch
from torch import Tensor

from gnn.graph import Graph
from gnn.spmm import spmm

OVERSAMPLING = 16
"""Directions followed beside those wanted, so that the last ones wanted are exact enough."""
ITERATIONS = 6
"""Each squares the distance between wanted and other directions."""


@torch.no_grad()
def spectral_embeddings(graph: Graph, width: int, scale: float, generator: torch.Generator) -> Tensor:
    """The leading singular vectors of the normalised interactions, [nodes, width], entries of deviation ``scale``.

    Directions weigh the square root of their singular values. Found by the randomised method of Halko,
    Martinsson and Tropp 2011 (arXiv 0909.4061) with products by the graph alone. Noise fills what the graph
    does not tell: directions beyond those it has, and nodes without neighbours.
    """
    n_users, device = graph.n_users, graph.plain.values.device
    rank = min(width, n_users, graph.n_items)
    columns = min(rank + OVERSAMPLING, n_users, graph.n_items)
    x = torch.zeros(graph.n_nodes, columns, device=device)
    x[:n_users] = torch.randn(n_users, columns, generator=generator).to(device)
    for _ in range(ITERATIONS):
        x = spmm(graph.plain, spmm(graph.plain, x))
        x[:n_users] = torch.linalg.qr(x[:n_users])[0]
    basis = x[:n_users]
    left, singular, right = torch.linalg.svd(spmm(graph.plain, x)[n_users:].t(), full_matrices=False)
    weight = singular[:rank].sqrt()
    found = torch.cat([basis @ left[:, :rank], right[:rank].t()]) * weight
    found *= scale / found.std()
    embeddings = scale * torch.randn(graph.n_nodes, width, generator=generator).to(device)
    known = graph.plain.degree > 0
    embeddings[known, :rank] = found[known]
    return embeddings
