"""The text of a PyTorch Geometric module: run, with the weights of our network, it gives our network's embeddings."""

from __future__ import annotations

import ast
import importlib.util
import itertools
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from gnn.bundle.pyg import pyg_module
from gnn.catalogue import preset_space
from gnn.errors import SpaceError
from gnn.graph import Graph, build_graph
from gnn.layers import OPERATORS
from gnn.model import Draw, Recommender, build_model
from gnn.space import Architecture
from tests.gnn.toy import random_interactions

RENAMED = (
    (r"^layers\.(\d+)\.operator\.gate$", r"gate\1"),
    (r"^layers\.(\d+)\.operator\.message_weight$", r"message\1"),
    (r"^layers\.(\d+)\.operator\.edge$", r"edge\1"),
    (r"^layers\.(\d+)\.normalise\.", r"norm\1."),
    (r"^layers\.(\d+)\.activate\.", r"activation\1."),
    (r"^combination\.weight$", "layer_weights"),
    (r"^combination\.lin\.", "layer_lin."),
    (r"^combination\.query$", "layer_query"),
    (r"^scorer\.weight$", "bilinear"),
    (r"^scorer\.(user|item)\.0\.", r"\1_tower.first."),
    (r"^scorer\.(user|item)\.2\.", r"\1_tower.second."),
    (r"^projections\.(user|item)\.weight$", r"\1_projection.weight"),
)
"""What a parameter is called there, whatever the operator."""
PERCEPTRON = {f"{name}.{kind}": f"{place}.{kind}" for name, place in (("first", 0), ("second", 2)) for kind in ("weight", "bias")}
OF_OPERATOR = {
    "gcn": {"lin.weight": "conv{0}.lin.weight", "lin.bias": "conv{0}.bias"},
    "lr_gccf": {"lin.weight": "conv{0}.lin.weight"},
    "ngcf": {"lin.weight": "lin{0}.weight", "lin.bias": "lin{0}.bias", "product.weight": "product{0}.weight"},
    "sage": {"lin.weight": "conv{0}.lin_l.weight", "lin.bias": "conv{0}.lin_l.bias", "root.weight": "conv{0}.lin_r.weight"},
    "gin": {ours: f"conv{{0}}.nn.{place}" for ours, place in PERCEPTRON.items()} | {"eps": "conv{0}.eps"},
    "gat": {"lin.weight": "conv{0}.lin.weight", "lin.bias": "conv{0}.bias", "target": "conv{0}.att_dst", "source": "conv{0}.att_src"},
    "gatv2": {
        "lin.weight": "conv{0}.lin_l.weight", "lin.bias": "bias{0}", "target.weight": "conv{0}.lin_r.weight", "weight": "conv{0}.att",
    },
}  # fmt: skip
OF_OPERATOR["sage_max"] = OF_OPERATOR["sage"]
WITH_EDGES = {
    "sage": {"lin.weight": "lin{0}.weight", "lin.bias": "lin{0}.bias", "root.weight": "root{0}.weight"},
    "gin": {ours: f"perceptron{{0}}.{place}" for ours, place in PERCEPTRON.items()} | {"eps": "eps{0}"},
    "gat": {},
    "gatv2": {},
}  # fmt: skip
"""Where edges have embeddings; operators written out in the text call their parameters as ours do."""
WITH_EDGES["sage_max"] = WITH_EDGES["sage"]


@pytest.fixture(scope="module")
def graph() -> Graph:
    """One with weights and times, so that edges are of several kinds, features, and a user without a training interaction."""
    interactions = random_interactions(3)
    generator = np.random.default_rng(0)
    features = [generator.normal(size=(n, 3)).astype(np.float32) for n in (interactions.n_users, interactions.n_items)]
    graph = build_graph(interactions, np.arange(len(interactions)), *features)
    assert graph.cold_users
    assert graph.n_buckets > 1
    return graph


@contextmanager
def imported(text: str, tmp_path: Path) -> Iterator[ModuleType]:
    path = tmp_path / "architecture.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location("architecture", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "architecture", module)  # as an import has it, while PyG looks up annotations
        spec.loader.exec_module(module)
        yield module


def theirs(model: Recommender) -> dict[str, torch.Tensor]:
    """Our weights by their names there."""
    graph, found = model.graph, {}
    for name, value in model.state_dict().items():
        if name == "nodes" and model.settings.inputs != "ids":
            used = 0
            for side, n in (("user", graph.n_users), ("item", graph.n_items)):
                if model.settings.inputs == "both" or side not in model.projections:
                    found[f"{side}_nodes"] = value[used : used + n]
                    used += n
            continue
        layer = re.match(r"^layers\.(\d+)\.operator\.(.*)$", name)
        numbered = re.sub(r"^layers\.(\d+)", lambda match: f"layers.{int(match[1]) + 1}", name)
        for pattern, replacement in RENAMED:
            numbered = re.sub(pattern, replacement, numbered)
        if layer is not None and numbered.startswith("layers."):
            number, own = int(layer[1]) + 1, layer[2]
            operator = model.settings.layers[number - 1].operator
            names = OF_OPERATOR.get(operator, {}) | ({} if not model.settings.edge_dim else WITH_EDGES.get(operator, {}))
            if model.settings.edge_dim and WITH_EDGES.get(operator) == {}:
                names = {}
            numbered = names.get(own, f"conv{{0}}.{own}").format(number)
        if ".att" in numbered or numbered.endswith("att"):
            value = value[None]
        found[numbered] = value.t() if numbered.endswith("_projection.weight") else value
    return found


def compared(architecture: Architecture, graph: Graph, tmp_path: Path) -> None:
    model = build_model(architecture, graph, seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():  # also those that begin at zero
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator))
    settings, extra, given = model.settings, {}, {}
    if settings.edge_dim:
        extra["n_buckets"], given["bucket"] = graph.n_buckets, graph.plain.buckets
    if settings.inputs != "ids":
        for side, table in (("user", graph.user_features), ("item", graph.item_features)):
            if table is not None:
                extra[f"{side}_width"], given[f"{side}_features"] = table.shape[1], table
    with imported(pyg_module(architecture), tmp_path) as module:
        other = module.Recommender(graph.n_users, graph.n_items, **extra)
    other.load_state_dict(theirs(model))
    assert sum(parameter.numel() for parameter in other.parameters()) == model.parameter_count
    rows = torch.repeat_interleave(torch.arange(graph.n_nodes), graph.plain.indptr.diff())
    edge_index = torch.stack([graph.plain.indices.long(), rows])
    other.eval()
    with torch.no_grad():
        found = other(edge_index, **given)
    for ours, other_side in zip(model.embeddings(), found, strict=True):
        scale = float(ours.abs().max())
        np.testing.assert_allclose(other_side.numpy(), ours.numpy(), atol=2e-5 * max(1.0, scale))
    # And it can be trained: chance comes in, and gradients reach every weight that ours reach.
    other.train()
    users, items = other(edge_index, **given)
    (users.square().mean() + (users @ items.t()).square().mean()).backward()
    reached = {name for name, parameter in other.named_parameters() if parameter.grad is not None}
    users, items = model(Draw(torch.Generator().manual_seed(0)))
    (users.square().mean() + (users @ items.t()).square().mean()).backward()
    gradients = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert len(reached) == len(theirs_names(model, gradients))


def theirs_names(model: Recommender, names: set[str]) -> set[str]:
    sides = {"user", "item"} if model.settings.inputs == "both" else {"user", "item"} - set(model.projections)
    nodes = {f"{side}_nodes" for side in sides} if model.settings.inputs != "ids" else {"nodes"}
    return (names - {"nodes"}) | (nodes if "nodes" in names and len(model.nodes) else set())


@pytest.mark.parametrize("edge_dim", [0, 3])
@pytest.mark.parametrize("operator", list(OPERATORS))
def test_every_operator_is_the_same_network(operator: str, edge_dim: int, graph: Graph, tmp_path: Path) -> None:
    heads = {"heads.2": 2} if operator in ("gat", "gatv2", "graph_transformer") else {}
    layers = {"operator.1": operator, "operator.2": operator, **heads}
    compared(Architecture.of({"node_dim": 8, "layers": 2, "edge_dim": edge_dim, **layers}), graph, tmp_path)


WHOLE: list[dict[str, object]] = [
    {"combination": combination, "scorer": scorer, "loss": "bpr"}
    for combination, scorer in zip(
        ("last", "sum", "mean", "concat", "weighted", "attention"), itertools.cycle(("dot", "cosine", "bilinear", "mlp"))
    )
] + [
    {"operator.1": "gcn", "normalisation.1": normalisation, "activation.1": activation, "skip.2": skip, "temperature": 0.1}
    for normalisation, activation, skip in zip(
        itertools.cycle(("none", "layer", "pair", "l2")),
        ("identity", "relu", "leaky_relu", "prelu", "elu", "silu", "tanh"),
        itertools.cycle(("none", "residual", "initial")),
    )
] + [
    {"combination": "concat", "scorer": "mlp", "loss": "bce", "item_bias": "none"},
    {"loss": "directau", "contrastive": "sgl"},
    {"inputs": "features"},
    {"inputs": "both", "edge_dim": 2, "operator.1": "gat"},
    {"dropout": 0.2, "message_dropout": 0.2, "edge_dropout": 0.4, "edge_dim": 2, "operator.2": "gin"},
    {"layers": 1, "operator.1": "identity"},
]  # fmt: skip


@pytest.mark.parametrize("choices", WHOLE, ids=str)
def test_every_other_decision_is_the_same_network(choices: dict[str, object], graph: Graph, tmp_path: Path) -> None:
    compared(Architecture.of({"node_dim": 8, "layers": 2} | choices), graph, tmp_path)  # type: ignore[arg-type]


@pytest.mark.parametrize("side", ["user_features", "item_features"])
@pytest.mark.parametrize("inputs", ["features", "both"])
def test_attributes_of_one_side_alone(side: str, inputs: str, graph: Graph, tmp_path: Path) -> None:
    compared(Architecture.of({"node_dim": 8, "layers": 1, "inputs": inputs}), replace(graph, **{side: None}), tmp_path)


def test_whatever_a_space_proposes_is_a_module_of_plain_text() -> None:
    space, generator = preset_space("full"), np.random.default_rng(0)
    for _ in range(200):
        text = pyg_module(space.sample(generator))
        ast.parse(text)
        assert text.isascii() or all(sign.isprintable() or sign == "\n" for sign in text)
        assert max(map(len, text.splitlines())) <= 140


def test_what_cannot_be_trained_has_no_module() -> None:
    with pytest.raises(SpaceError, match="operator"):
        pyg_module(Architecture.of({"layers": 1, "operator.1": '"""\nimport os'}))
