"""One layer of an architecture in the words of PyTorch Geometric: what its module makes, and what it computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gnn.settings import LayerSettings, Settings

ACTIVATIONS = {"relu": "F.relu(x)", "leaky_relu": "F.leaky_relu(x)", "elu": "F.elu(x)", "silu": "F.silu(x)", "tanh": "torch.tanh(x)"}
"""Those with nothing to learn, besides the identity."""

_ATTENTION_HEAD = '''\
class {name}(MessagePassing):
    """{summary}

    ``bias`` [edges, heads] is added to what the softmax is of.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__(aggr="add", node_dim=0)
        self.heads, self.width = heads, dim // heads
'''
_GAT = (
    _ATTENTION_HEAD.format(name="EdgeGATConv", summary="GAT (arXiv 1710.10903) whose attention edges take part in.")
    + """\
        self.lin = nn.Linear(dim, dim)
        self.target = nn.Parameter(torch.randn(heads, self.width) / self.width**0.5)
        self.source = nn.Parameter(torch.randn(heads, self.width) / self.width**0.5)

    def forward(self, x: Tensor, edge_index: Tensor, bias: Tensor) -> Tensor:
        hidden = F.linear(x, self.lin.weight).view(-1, self.heads, self.width)
        asking, asked = (hidden * self.target).sum(-1), (hidden * self.source).sum(-1)
        return self.propagate(edge_index, hidden=hidden, asking=asking, asked=asked, bias=bias).flatten(1) + self.lin.bias

    def message(self, hidden_j: Tensor, asking_i: Tensor, asked_j: Tensor, bias: Tensor, index: Tensor, size_i: int) -> Tensor:
        alpha = softmax(F.leaky_relu(asking_i + asked_j + bias, 0.2), index, num_nodes=size_i)
        return alpha[:, :, None] * hidden_j
"""
)
_GATV2 = (
    _ATTENTION_HEAD.format(name="EdgeGATv2Conv", summary="GATv2 (arXiv 2105.14491) whose attention edges take part in.")
    + """\
        self.lin = nn.Linear(dim, dim)
        self.target = nn.Linear(dim, dim, bias=False)
        self.weight = nn.Parameter(torch.randn(heads, self.width) / self.width**0.5)

    def forward(self, x: Tensor, edge_index: Tensor, bias: Tensor) -> Tensor:
        hidden = F.linear(x, self.lin.weight).view(-1, self.heads, self.width)
        asking = self.target(x).view(-1, self.heads, self.width)
        return self.propagate(edge_index, hidden=hidden, asking=asking, bias=bias).flatten(1) + self.lin.bias

    def message(self, hidden_j: Tensor, asking_i: Tensor, bias: Tensor, index: Tensor, size_i: int) -> Tensor:
        scores = (F.leaky_relu(asking_i + hidden_j, 0.2) * self.weight).sum(-1)
        return softmax(scores + bias, index, num_nodes=size_i)[:, :, None] * hidden_j
"""
)
_TRANSFORMER = (
    _ATTENTION_HEAD.format(
        name="GraphTransformerConv", summary="Graph transformer (arXiv 2009.03509) without its gate; query and key have no bias."
    )
    + """\
        self.lin = nn.Linear(dim, dim)
        self.query = nn.Linear(dim, dim, bias=False)
        self.key = nn.Linear(dim, dim, bias=False)
        self.root = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, edge_index: Tensor, bias: Tensor | None = None) -> Tensor:
        parts = (F.linear(x, self.lin.weight), self.query(x), self.key(x))
        hidden, query, key = (part.view(-1, self.heads, self.width) for part in parts)
        out = self.propagate(edge_index, hidden=hidden, query=query, key=key, bias=bias)
        return out.flatten(1) + self.lin.bias + self.root(x)

    def message(
        self, hidden_j: Tensor, query_i: Tensor, key_j: Tensor, bias: Tensor | None, index: Tensor, size_i: int
    ) -> Tensor:
        scores = (query_i * key_j).sum(-1) / self.width**0.5
        scores = scores if bias is None else scores + bias
        return softmax(scores, index, num_nodes=size_i)[:, :, None] * hidden_j
"""
)


@dataclass
class Part:
    """Lines of one layer, without indentation, and what they rest on."""

    make: list[str] = field(default_factory=list)
    """Of ``__init__``."""
    compute: list[str] = field(default_factory=list)
    """Of ``forward``; they leave the layer's output in ``x``."""
    convs: set[str] = field(default_factory=set)
    """Imported of ``torch_geometric.nn``."""
    helpers: set[str] = field(default_factory=set)
    """Classes of the module itself, as text."""
    norms: set[str] = field(default_factory=set)
    """``plain`` or ``looped``: edges that are normalised before the first layer."""


def layer_part(settings: Settings, number: int, layer: LayerSettings) -> Part:
    """Layer ``number``, counted from 1."""
    part = Part()
    if layer.skip == "residual":
        part.compute.append("before = x")
    OPERATORS[layer.operator](part, settings, number, layer)
    if layer.normalisation == "layer":
        part.make.append(f"self.norm{number} = nn.LayerNorm({settings.node_dim})")
        part.compute.append(f"x = self.norm{number}(x)")
    elif layer.normalisation == "pair":
        part.convs.add("PairNorm")
        part.make.append(f"self.norm{number} = PairNorm()")
        part.compute.append(f"x = self.norm{number}(x)")
    elif layer.normalisation == "l2":
        part.compute.append("x = F.normalize(x)")
    if layer.activation == "prelu":
        part.make.append(f"self.activation{number} = nn.PReLU()")
        part.compute.append(f"x = self.activation{number}(x)")
    elif layer.activation in ACTIVATIONS:
        part.compute.append(f"x = {ACTIVATIONS[layer.activation]}")
    if settings.message_dropout:
        part.compute.append(f"x = F.dropout(x, {settings.message_dropout!r}, self.training)")
    if layer.skip != "none":
        part.compute.append(f"x = x + {'before' if layer.skip == 'residual' else 'outputs[0]'}")
    part.compute.append("outputs.append(x)")
    return part


def _fixed_edges(part: Part, settings: Settings, number: int, *, share: bool) -> bool:
    """The gates of edges and what they say themselves, for operators that do not attend; False where edges have no embeddings."""
    if not settings.edge_dim:
        return False
    part.make += [
        f"self.gate{number} = nn.Parameter(torch.zeros({settings.edge_dim}))",
        f"self.message{number} = nn.Parameter(torch.zeros({settings.edge_dim}, {settings.node_dim}))",
    ]
    part.compute.append(f"gate = (1 + torch.tanh(self.edges @ self.gate{number}))[bucket]")
    _said(part, number, share=share)
    return True


def _said(part: Part, number: int, *, share: bool) -> None:
    said = f"(self.edges @ self.message{number})[bucket]"
    if share:
        part.compute.append(f'said = scatter({said}, edge_index[1], dim_size=n_nodes, reduce="mean")')
    else:
        part.norms.add("plain")
        part.compute.append(f"said = scatter(plain_weight[:, None] * {said}, edge_index[1], dim_size=n_nodes)")


def _looped_gate(part: Part) -> str:
    part.compute.append("gate = torch.cat([gate, gate.new_ones(n_nodes)])  # loops pass as they are")
    return "looped_weight * gate"


def _light(part: Part, settings: Settings, number: int, layer: LayerSettings) -> None:
    part.convs.add("LGConv")
    if _fixed_edges(part, settings, number, share=False):
        part.make.append(f"self.conv{number} = LGConv(normalize=False)")
        part.compute.append(f"x = self.conv{number}(x, edge_index, plain_weight * gate) + said")
    else:
        part.make.append(f"self.conv{number} = LGConv()")
        part.compute.append(f"x = self.conv{number}(x, edge_index)")


def _simplified(part: Part, settings: Settings, number: int, layer: LayerSettings) -> None:
    part.convs.add("LGConv")
    part.norms.add("looped")
    part.make.append(f"self.conv{number} = LGConv(normalize=False)  # SGC: the loops are in the edges")
    edges = _fixed_edges(part, settings, number, share=False)
    weight = _looped_gate(part) if edges else "looped_weight"
    part.compute.append(f"x = self.conv{number}(x, looped, {weight}){' + said' if edges else ''}")


def _convolution(part: Part, settings: Settings, number: int, layer: LayerSettings) -> None:
    part.convs.add("GCNConv")
    residual = layer.operator == "lr_gccf"
    bias, plus = (", bias=False", " + x") if residual else ("", "")
    dim = settings.node_dim
    if _fixed_edges(part, settings, number, share=False):
        part.norms.add("looped")
        part.make.append(f"self.conv{number} = GCNConv({dim}, {dim}, normalize=False{bias})")
        part.compute.append(f"x = self.conv{number}(x, looped, {_looped_gate(part)}){plus} + said")
    else:
        part.make.append(f"self.conv{number} = GCNConv({dim}, {dim}{bias})")
        part.compute.append(f"x = self.conv{number}(x, edge_index){plus}")


def _collaborative(part: Part, settings: Settings, number: int, layer: LayerSettings) -> None:
    dim = settings.node_dim
    part.convs.add("LGConv")
    edges = _fixed_edges(part, settings, number, share=False)
    part.make += [
        f"self.conv{number} = LGConv({'normalize=False' if edges else ''})",
        f"self.lin{number} = nn.Linear({dim}, {dim})",
        f"self.product{number} = nn.Linear({dim}, {dim}, bias=False)",
    ]
    arguments = "x, edge_index, plain_weight * gate) + said" if edges else "x, edge_index)"
    part.compute += [
        f"gathered = self.conv{number}({arguments}",
        f"x = self.lin{number}(x + gathered) + self.product{number}(gathered * x)  # NGCF",
    ]


def _sage(part: Part, settings: Settings, number: int, layer: LayerSettings) -> None:
    dim, aggregation = settings.node_dim, "max" if layer.operator == "sage_max" else "mean"
    if _fixed_edges(part, settings, number, share=True):
        part.convs.add("SimpleConv")
        part.make += [
            f'self.conv{number} = SimpleConv(aggr="{aggregation}")',
            f"self.lin{number} = nn.Linear({dim}, {dim})",
            f"self.root{number} = nn.Linear({dim}, {dim}, bias=False)",
        ]
        part.compute += [
            f"gathered = self.conv{number}(x, edge_index, gate) + said",
            f"x = self.lin{number}(gathered) + self.root{number}(x)  # GraphSAGE",
        ]
    else:
        part.convs.add("SAGEConv")
        part.make.append(f'self.conv{number} = SAGEConv({dim}, {dim}, aggr="{aggregation}")')
        part.compute.append(f"x = self.conv{number}(x, edge_index)")


def _isomorphism(part: Part, settings: Settings, number: int, layer: LayerSettings) -> None:
    dim = settings.node_dim
    perceptron = f"nn.Sequential(nn.Linear({dim}, {dim}), nn.ReLU(), nn.Linear({dim}, {dim}))"
    if _fixed_edges(part, settings, number, share=True):
        part.convs.add("SimpleConv")
        part.make += [
            f'self.conv{number} = SimpleConv(aggr="sum")',
            f"self.eps{number} = nn.Parameter(torch.zeros(1))",
            f"self.perceptron{number} = {perceptron}",
        ]
        part.compute += [
            "neighbours = scatter(torch.ones_like(gate), edge_index[1], dim_size=n_nodes)[:, None]",
            f"gathered = self.conv{number}(x, edge_index, gate) + neighbours * said",
            f"x = self.perceptron{number}((1 + self.eps{number}) * x + gathered)  # GIN",
        ]
    else:
        part.convs.add("GINConv")
        part.make.append(f"self.conv{number} = GINConv({perceptron}, train_eps=True)")
        part.compute.append(f"x = self.conv{number}(x, edge_index)")


def _attention(part: Part, settings: Settings, number: int, layer: LayerSettings) -> None:
    dim, heads = settings.node_dim, layer.heads
    if settings.edge_dim:
        part.make += [
            f"self.edge{number} = nn.Parameter(torch.zeros({settings.edge_dim}, {heads}))",
            f"self.message{number} = nn.Parameter(torch.zeros({settings.edge_dim}, {dim}))",
        ]
        part.compute.append(f"bias = (self.edges @ self.edge{number})[bucket]")
        _said(part, number, share=True)
    if layer.operator == "graph_transformer":
        part.helpers.add(_TRANSFORMER)
        part.make.append(f"self.conv{number} = GraphTransformerConv({dim}, {heads})")
        part.compute.append(f"x = self.conv{number}(x, edge_index{', bias) + said' if settings.edge_dim else ')'}")
        return
    first = layer.operator == "gat"
    if settings.edge_dim:
        part.norms.add("looped")
        part.helpers.add(_GAT if first else _GATV2)
        part.make.append(f"self.conv{number} = Edge{'GATConv' if first else 'GATv2Conv'}({dim}, {heads})")
        part.compute += [
            f"bias = torch.cat([bias, bias.new_zeros(n_nodes, {heads})])  # nothing is added to loops",
            f"x = self.conv{number}(x, looped, bias) + said",
        ]
    elif first:
        part.convs.add("GATConv")
        part.make.append(f"self.conv{number} = GATConv({dim}, {dim // heads}, heads={heads})")
        part.compute.append(f"x = self.conv{number}(x, edge_index)")
    else:
        part.convs.add("GATv2Conv")
        part.make += [
            f"self.conv{number} = GATv2Conv({dim}, {dim // heads}, heads={heads}, bias=False)",
            f"self.bias{number} = nn.Parameter(torch.zeros({dim}))",
        ]
        part.compute.append(f"x = self.conv{number}(x, edge_index) + self.bias{number}")


def _identity(part: Part, settings: Settings, number: int, layer: LayerSettings) -> None:
    part.compute.append("# This layer leaves its input as it is.")


OPERATORS: dict[str, Callable[[Part, Settings, int, LayerSettings], None]] = {
    "lightgcn": _light,
    "sgc": _simplified,
    "lr_gccf": _convolution,
    "gcn": _convolution,
    "ngcf": _collaborative,
    "sage": _sage,
    "sage_max": _sage,
    "gin": _isomorphism,
    "gat": _attention,
    "gatv2": _attention,
    "graph_transformer": _attention,
    "identity": _identity,
}
