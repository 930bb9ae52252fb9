"""An architecture as the text of a PyTorch Geometric module, to be read, trained and changed without Recsmith.

The text is made of the architecture's checked decisions alone: nothing that a person wrote is in it.
"""

from __future__ import annotations

from textwrap import wrap

from gnn.bundle.pyg_layers import Part, layer_part
from gnn.catalogue import CATALOGUE, describe
from gnn.settings import Settings
from gnn.space import Architecture, Choice, choice_text

TRAINING_DECISIONS = {
    name: "corrected" if name == "popularity_correction" else name
    for name in (
        "loss", "negatives", "negative_count", "candidates", "popularity_correction", "popularity_offset", "positives", "sampled_items",
        "margin", "negative_weight", "uniformity", "temperature", "l2", "contrastive", "contrastive_weight", "contrastive_temperature",
        "contrastive_drop", "contrastive_noise", "learning_rate", "schedule", "clip", "averaging",
    )
}  # fmt: skip
"""Decisions that a module has no part in -> what ``Settings`` calls them."""

_TOWER = '''\
class Tower(nn.Module):
    """x + ReLU(x W + b) V."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(torch.relu(self.first(x)))
'''


def pyg_module(architecture: Architecture) -> str:
    """Python with a class ``Recommender`` that computes the embeddings of the architecture's network.

    Raises:
        SpaceError: the engine cannot train the architecture.
    """
    settings = Settings.of(architecture)
    parts = [layer_part(settings, number, layer) for number, layer in enumerate(settings.layers, 1)]
    helpers = sorted({text for part in parts for text in part.helpers}) + ([_TOWER] if settings.scorer == "mlp" else [])
    sections = [_head(architecture, settings, parts), *helpers, _class(settings, parts)]
    return "\n\n".join(section.rstrip("\n") + "\n" for section in sections)


def _head(architecture: Architecture, settings: Settings, parts: list[Part]) -> str:
    convs = sorted({conv for part in parts for conv in part.convs} | ({"MessagePassing"} if any(part.helpers for part in parts) else set()))
    utils = {"scatter"} if settings.edge_dim else set()
    utils |= {"softmax"} if any(part.helpers for part in parts) else set()
    utils |= {"dropout_edge"} if settings.edge_dropout else set()
    training = [f"- {label}: {choice_text(choice)}" for label, choice in _training_decisions(settings)]
    return "\n".join(
        [
            '"""An architecture found by Recsmith, as a module of PyTorch Geometric.',
            "",
            *wrap(describe(architecture), 120),
            "",
            "How it was trained is not part of a module:",
            "",
            *training,
            "",
            "Weights begin here as PyTorch and PyTorch Geometric begin them. Recsmith begins square matrices at the identity with a",
            "little noise, which trains better where node embeddings carry no features to be mixed.",
            '"""',
            "",
            "from __future__ import annotations",
            "",
            "import torch",
            "from torch import Tensor, nn",
            "from torch.nn import functional as F",
            *([f"from torch_geometric.nn import {', '.join(convs)}"] if convs else []),
            *(["from torch_geometric.nn.conv.gcn_conv import gcn_norm"] if any(part.norms for part in parts) else []),
            f"from torch_geometric.utils import {', '.join(sorted(utils | {'degree'}))}",
        ]
    )


def _training_decisions(settings: Settings) -> list[tuple[str, Choice]]:
    """Label and choice of each decision that has a part in training alone, in the order of the catalogue."""
    found = []
    for name, attribute in TRAINING_DECISIONS.items():
        entry = CATALOGUE[name]
        if all(getattr(settings, parent) in allowed for parent, allowed in entry.when.items()):
            choice = getattr(settings, attribute)
            found.append((entry.label, {True: "logq", False: "none"}[choice] if attribute == "corrected" else choice))
    return found


def _class(settings: Settings, parts: list[Part]) -> str:
    features = settings.inputs != "ids"
    parameters = ["n_users: int", "n_items: int"]
    parameters += ["n_buckets: int"] if settings.edge_dim else []
    parameters += ["user_width: int = 0", "item_width: int = 0"] if features else []
    inputs = ["edge_index: Tensor"]
    inputs += ["bucket: Tensor"] if settings.edge_dim else []
    inputs += ["user_features: Tensor | None = None", "item_features: Tensor | None = None"] if features else []
    lines = [
        "class Recommender(nn.Module):",
        '    """Embeddings of users and items; the score of a user and an item is their dot product.',
        "",
        "    Node ``u`` is user u, and node ``n_users + i`` item i. ``edge_index``, int64 [2, edges], has each pair of a user and an item",
        "    of the training data in both directions.",
    ]
    if settings.edge_dim:
        lines.append("    ``bucket``, int64 [edges], is the kind of each edge, by its weight and recency; both directions have the same.")
    if features:
        lines.append("    ``user_features`` [n_users, user_width] and ``item_features`` [n_items, item_width] are attributes as numbers.")
    lines += ['    """', "", f"    def __init__(self, {', '.join(parameters)}) -> None:"]
    lines += _indented(["super().__init__()", "self.n_users, self.n_items = n_users, n_items", *_make(settings, parts)])
    lines += ["", f"    def forward(self, {', '.join(inputs)}) -> tuple[Tensor, Tensor]:"]
    lines += _indented(['"""Embeddings of users [n_users, d] and items [n_items, d]."""', *_compute(settings, parts)])
    return "\n".join(lines)


def _indented(lines: list[str]) -> list[str]:
    return [f"        {line}" if line else "" for line in lines]


def _make(settings: Settings, parts: list[Part]) -> list[str]:
    dim, n_outputs = settings.node_dim, len(settings.layers) + 1
    width = dim * n_outputs if settings.combination == "concat" else dim
    lines = []
    if settings.inputs == "ids":
        lines.append(f"self.nodes = nn.Parameter(0.1 * torch.randn(n_users + n_items, {dim}))")
    else:
        for side in ("user", "item"):
            has = f"{side}_width" if settings.inputs == "features" else ""
            ids = f"nn.Parameter(0.1 * torch.randn(n_{side}s, {dim}))"
            lines += [
                f"self.{side}_projection = nn.Linear({side}_width, {dim}, bias=False) if {side}_width else None",
                f"self.{side}_nodes = None if {has} else {ids}" if has else f"self.{side}_nodes = {ids}",
            ]
    if settings.edge_dim:
        lines.append(f"self.edges = nn.Parameter(torch.randn(n_buckets, {settings.edge_dim}) / {settings.edge_dim}**0.5)")
    if settings.item_bias:
        lines.append("self.item_bias = nn.Parameter(torch.zeros(n_items))")
    lines += [line for part in parts for line in part.make]
    if settings.combination == "weighted":
        lines.append(f"self.layer_weights = nn.Parameter(torch.full(({n_outputs},), 1 / {n_outputs}))")
    elif settings.combination == "attention":
        lines += [f"self.layer_lin = nn.Linear({dim}, {dim}, bias=False)", f"self.layer_query = nn.Parameter(torch.zeros({dim}))"]
    if settings.scorer == "bilinear":
        lines.append(f"self.bilinear = nn.Parameter(torch.eye({width}))")
    elif settings.scorer == "mlp":
        lines.append(f"self.user_tower, self.item_tower = Tower({width}), Tower({width})")
    return lines


COMBINE = {
    "last": ["x = outputs[-1]"],
    "sum": ["x = torch.stack(outputs).sum(0)"],
    "mean": ["x = torch.stack(outputs).mean(0)"],
    "concat": ["x = torch.cat(outputs, dim=1)"],
    "weighted": ['x = torch.einsum("l,lnd->nd", self.layer_weights, torch.stack(outputs))'],
    "attention": [
        "stacked = torch.stack(outputs)",
        "share = torch.softmax(torch.tanh(self.layer_lin(stacked)) @ self.layer_query, dim=0)",
        'x = torch.einsum("ln,lnd->nd", share, stacked)',
    ],
}
SCORE = {
    "dot": [],
    "cosine": ["users, items = F.normalize(users), F.normalize(items)"],
    "bilinear": ["users = users @ self.bilinear"],
    "mlp": ["users, items = self.user_tower(users), self.item_tower(items)"],
}


def _compute(settings: Settings, parts: list[Part]) -> list[str]:
    norms = {norm for part in parts for norm in part.norms}
    lines = ["n_nodes = self.n_users + self.n_items", *_inputs(settings)]
    lines.append("warm = degree(edge_index[0], n_nodes)[: self.n_users] > 0")
    if settings.dropout:
        lines.append(f"x = F.dropout(x, {settings.dropout!r}, self.training)")
    if settings.edge_dropout:
        lines.append("if self.training:")
        lines.append(f"    edge_index, kept = dropout_edge(edge_index, {settings.edge_dropout!r}, force_undirected=True)")
        if settings.edge_dim:
            lines.append("    bucket = bucket[kept]")
    if "plain" in norms:
        lines.append("_, plain_weight = gcn_norm(edge_index, num_nodes=n_nodes, add_self_loops=False)")
    if "looped" in norms:
        lines.append("looped, looped_weight = gcn_norm(edge_index, num_nodes=n_nodes, add_self_loops=True)")
    lines.append("outputs = [x]")
    for number, part in enumerate(parts, 1):
        lines += ["", f"# Layer {number}", *part.compute]
    lines += ["", *COMBINE[settings.combination], "users, items = x.split([self.n_users, self.n_items])", *SCORE[settings.scorer]]
    if settings.item_bias:
        bias = "self.item_bias" if settings.temperature == 1 else f"({settings.temperature!r} * self.item_bias)"
        lines += [
            "users = torch.cat([users, users.new_ones(len(users), 1)], dim=1)",
            f"items = torch.cat([items, {bias}[:, None]], dim=1)",
        ]
    untrained = "not self.training" if settings.inputs == "ids" else "not self.training and self.user_projection is None"
    return [
        *lines,
        f"if {untrained}:  # a user without interactions was never trained: the mean of the others stands for it",
        "    users = torch.where(warm[:, None], users, users[warm].mean(0))",
        "return users, items",
    ]


def _inputs(settings: Settings) -> list[str]:
    if settings.inputs == "ids":
        return ["x = self.nodes"]
    if settings.inputs == "features":
        return [
            "users = self.user_nodes if self.user_projection is None else self.user_projection(user_features)",
            "items = self.item_nodes if self.item_projection is None else self.item_projection(item_features)",
            "x = torch.cat([users, items])",
        ]
    return [
        "users = self.user_nodes if self.user_projection is None else self.user_nodes + self.user_projection(user_features)",
        "items = self.item_nodes if self.item_projection is None else self.item_nodes + self.item_projection(item_features)",
        "x = torch.cat([users, items])",
    ]
