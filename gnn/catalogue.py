"""What can be searched: every decision the engine understands, its choices, and the presets.

The forms, the engine and the help text read this one table. A space may use any subset; what it leaves
out takes the default given here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gnn.errors import SpaceError
from gnn.space import Architecture, Choice, DecisionSpec, SearchSpace, choice_text

ATTENTION_OPERATORS = ("gat", "gatv2", "graph_transformer")
NONLINEAR_OPERATORS = ("gcn", "ngcf", "sage", "sage_max", "gin", *ATTENTION_OPERATORS)
OPERATORS = ("lightgcn", "sgc", "lr_gccf", *NONLINEAR_OPERATORS, "identity")
ACTIVATIONS = ("identity", "relu", "leaky_relu", "elu", "tanh")
COMBINATIONS = ("last", "sum", "mean", "concat")
LOSSES = ("softmax", "bpr")
ITEM_BIASES = ("learned", "none")


@dataclass(frozen=True)
class CatalogueEntry:
    """One decision a person may search over.

    Numeric decisions accept any value from ``minimum`` to ``maximum``; ``offered`` is what the form shows.
    """

    name: str
    label: str
    help: str
    offered: tuple[Choice, ...]
    default: Choice
    minimum: float | None = None
    maximum: float | None = None
    whole: bool = False
    per: str | None = None
    when: Mapping[str, tuple[Choice, ...]] = field(default_factory=dict)

    def check(self, choice: Choice) -> None:
        """Raise SpaceError unless the engine can train with ``choice``."""
        if self.minimum is None or self.maximum is None:
            if choice not in self.offered:
                raise SpaceError(f"'{self.name}' cannot be {choice!r}; choose from {', '.join(map(str, self.offered))}.", field=self.name)
            return
        if isinstance(choice, str) or (self.whole and choice != int(choice)):
            raise SpaceError(f"'{self.name}' must be a {'whole ' if self.whole else ''}number, but is {choice!r}.", field=self.name)
        if not self.minimum <= choice <= self.maximum:
            raise SpaceError(f"'{self.name}' must be from {self.minimum:g} to {self.maximum:g}, but is {choice}.", field=self.name)


CATALOGUE: dict[str, CatalogueEntry] = {
    entry.name: entry
    for entry in (
        CatalogueEntry(
            "node_dim", "Node embedding size", "Numbers that describe each user and each item.",
            offered=(16, 32, 64, 128, 256), default=64, minimum=1, maximum=4096, whole=True,
        ),
        CatalogueEntry(
            "edge_dim", "Edge embedding size", "Numbers that describe each kind of interaction (rating, recency); 0 leaves edges plain.",
            offered=(0, 4, 8, 16), default=0, minimum=0, maximum=512, whole=True,
        ),
        CatalogueEntry(
            "layers", "Number of layers", "How many steps messages travel along the graph.",
            offered=(1, 2, 3, 4), default=2, minimum=1, maximum=8, whole=True,
        ),
        CatalogueEntry(
            "operator", "Network structure", "How a layer gathers what its neighbours say.",
            offered=OPERATORS, default="lightgcn", per="layers",
        ),
        CatalogueEntry(
            "heads", "Attention heads", "Parts of the embedding that each attend in their own way; their number must divide its size.",
            offered=(1, 2, 4), default=1, minimum=1, maximum=16, whole=True, per="layers", when={"operator": ATTENTION_OPERATORS},
        ),
        CatalogueEntry(
            "activation", "Activation", "The non-linearity after a layer; layers that are linear by definition have none.",
            offered=ACTIVATIONS, default="identity", per="layers", when={"operator": NONLINEAR_OPERATORS},
        ),
        CatalogueEntry(
            "combination", "Layer combination", "How the outputs of all layers become one embedding.",
            offered=COMBINATIONS, default="mean",
        ),
        CatalogueEntry(
            "item_bias", "Item bias", "A number per item added to its scores, so that embeddings need not encode popularity.",
            offered=ITEM_BIASES, default="learned",
        ),
        CatalogueEntry(
            "dropout", "Dropout", "Regularisation: share of embedding entries hidden at each training step.",
            offered=(0.0, 0.1, 0.2, 0.4), default=0.0, minimum=0.0, maximum=0.9,
        ),
        CatalogueEntry(
            "l2", "L2 regularisation", "Weight of the squared norm of the embeddings used in a step.",
            offered=(0.0, 1e-6, 1e-5, 1e-4, 1e-3), default=0.0, minimum=0.0, maximum=1.0,
        ),
        CatalogueEntry(
            "loss", "Training objective", "Softmax over the whole catalogue, or Bayesian personalised ranking of pairs.",
            offered=LOSSES, default="softmax",
        ),
        CatalogueEntry(
            "temperature", "Softmax temperature", "Lower values concentrate on the hardest items.",
            offered=(0.05, 0.1, 0.15, 0.2, 0.3, 0.4), default=0.3, minimum=0.01, maximum=10.0, when={"loss": ("softmax",)},
        ),
        CatalogueEntry(
            "learning_rate", "Learning rate", "Step size of the Adam optimiser.",
            offered=(0.002, 0.005, 0.01, 0.02, 0.03), default=0.01, minimum=1e-6, maximum=1.0,
        ),
    )
}  # fmt: skip


def build_space(ticked: Mapping[str, Sequence[Choice]]) -> SearchSpace:
    """Make a space from the choices ticked for each decision, with the catalogue's conditions.

    A conditional decision whose parent offers none of the needed choices is left out: ticking
    activations beside LightGCN layers alone is harmless.

    Raises:
        SpaceError: an unknown decision, a choice the engine cannot train, or nothing ticked.
    """
    unknown = sorted(set(ticked) - set(CATALOGUE))
    if unknown:
        raise SpaceError(f"Unknown decision '{unknown[0]}'; the catalogue has {', '.join(CATALOGUE)}.", field=unknown[0])
    specs: list[DecisionSpec] = []
    for entry in CATALOGUE.values():
        if entry.name not in ticked:
            continue
        when = {parent: allowed for parent, allowed in entry.when.items() if parent in ticked}
        if any(not set(allowed) & set(ticked[parent]) for parent, allowed in when.items()):
            continue
        per = entry.per if entry.per is None or entry.per in ticked else None
        if entry.per is not None and per is None:
            raise SpaceError(f"'{entry.name}' is chosen per layer: choose the number of layers too.", field="layers")
        specs.append(DecisionSpec(entry.name, tuple(ticked[entry.name]), per, when))
    space = SearchSpace(specs)
    check_trainable(space)
    return space


def check_trainable(space: SearchSpace) -> None:
    """Raise SpaceError unless the engine can train every architecture of ``space``."""
    for spec in space.specs:
        entry = CATALOGUE.get(spec.name)
        if entry is None:
            raise SpaceError(f"Unknown decision '{spec.name}'; the catalogue has {', '.join(CATALOGUE)}.", field=spec.name)
        if spec.per != entry.per:
            expected = f"repeated per '{entry.per}'" if entry.per else "not repeated"
            raise SpaceError(f"Decision '{spec.name}' must be {expected}.", field=spec.name)
        for choice in spec.choices:
            entry.check(choice)
    offered = {spec.name: spec.choices for spec in space.specs}
    for heads in offered.get("heads", ()):
        for size in offered.get("node_dim", (CATALOGUE["node_dim"].default,)):
            check_heads(int(heads), int(size))


def check_heads(heads: int, node_dim: int) -> None:
    """Raise SpaceError unless attention heads can share an embedding out."""
    if node_dim % heads:
        raise SpaceError(f"{heads} heads do not divide a node embedding of size {node_dim}.", field="heads")


def describe(architecture: Architecture) -> str:
    """One line for tables: sizes, the layers in order, then how they are combined and trained."""
    layers = []
    for layer in range(1, int(architecture.get("layers", CATALOGUE["layers"].default)) + 1):
        operator = architecture.get(f"operator.{layer}", CATALOGUE["operator"].default)
        activation = architecture.get(f"activation.{layer}", "identity")
        heads = architecture.get(f"heads.{layer}", 1)
        words = [LABELS[str(operator)], f"×{choice_text(heads)}" if heads != 1 else ""]
        words.append(LABELS[str(activation)] if activation != "identity" else "")
        layers.append(" ".join(word for word in words if word))
    parts = [f"d{choice_text(architecture.get('node_dim', CATALOGUE['node_dim'].default))}"]
    if "edge_dim" in architecture and architecture["edge_dim"]:
        parts.append(f"edge {choice_text(architecture['edge_dim'])}")
    parts.append(" → ".join(layers))
    for name, prefix in (
        ("combination", ""),
        ("loss", ""),
        ("temperature", "τ "),
        ("dropout", "dropout "),
        ("l2", "L2 "),
        ("learning_rate", "lr "),
    ):
        if name in architecture and architecture[name] != 0:
            parts.append(prefix + choice_text(architecture[name]))
    return " · ".join(parts)


LABELS: dict[str, str] = {
    "lightgcn": "LightGCN", "sgc": "SGC", "lr_gccf": "LR-GCCF", "gcn": "GCN", "ngcf": "NGCF", "sage": "GraphSAGE",
    "sage_max": "GraphSAGE max", "gin": "GIN", "gat": "GAT", "gatv2": "GATv2", "graph_transformer": "Graph transformer",
    "identity": "identity", "relu": "ReLU", "leaky_relu": "LeakyReLU", "elu": "ELU", "tanh": "tanh",
    "last": "last layer", "sum": "sum", "mean": "mean", "concat": "concatenation",
    "softmax": "softmax", "bpr": "BPR", "learned": "item bias", "none": "no item bias",
}  # fmt: skip
"""How categorical choices are spelled for people."""

_DEMO: dict[str, tuple[Choice, ...]] = {
    "node_dim": (32, 64, 128),
    "edge_dim": (0, 8),
    "layers": (1, 2, 3),
    "operator": ("lightgcn", "gcn", "sage", "gat"),
    "activation": ("identity", "relu", "leaky_relu", "elu"),
    "combination": COMBINATIONS,
    "dropout": (0.0, 0.1, 0.2),
    "l2": (0.0, 1e-5, 1e-4),
    "loss": ("softmax",),
    "temperature": (0.2, 0.3, 0.4),
    "learning_rate": (0.01, 0.02, 0.03),
}

PRESETS: dict[str, dict[str, tuple[Choice, ...]]] = {
    "demo": _DEMO,
    "lightgcn-family": {
        "node_dim": (32, 64, 128, 256),
        "layers": (1, 2, 3, 4),
        "operator": ("lightgcn",),
        "combination": ("sum", "mean", "concat"),
        "item_bias": ITEM_BIASES,
        "dropout": (0.0, 0.1, 0.2),
        "l2": (0.0, 1e-6, 1e-5, 1e-4),
        "loss": LOSSES,
        "temperature": (0.05, 0.1, 0.15, 0.2, 0.3, 0.4),
        "learning_rate": (0.002, 0.005, 0.01, 0.02),
    },
    "full": {entry.name: entry.offered for entry in CATALOGUE.values()},
}
"""Named starting points: decision name -> ticked choices."""


def preset_space(name: str) -> SearchSpace:
    """The space of a named preset.

    Raises:
        SpaceError: there is no preset of that name.
    """
    if name not in PRESETS:
        raise SpaceError(f"There is no preset '{name}'; choose from {', '.join(PRESETS)}.", field="space")
    return build_space(PRESETS[name])
