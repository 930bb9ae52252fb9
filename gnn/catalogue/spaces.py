"""Spaces made of the catalogue: from ticks, from presets, and the check of those written by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gnn.catalogue.choices import INPUTS, ITEM_BIASES
from gnn.catalogue.entries import CATALOGUE
from gnn.errors import SpaceError
from gnn.space import Architecture, Choice, DecisionSpec, SearchSpace


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
        for parent, allowed in spec.when.items():
            for choice in allowed:
                try:
                    CATALOGUE[parent].check(choice)
                except SpaceError as error:
                    raise SpaceError(f"Decision '{spec.name}' depends on a choice that cannot be: {error}", field=spec.name) from error
    offered = {spec.name: spec.choices for spec in space.specs}
    for heads in offered.get("heads", ()):
        for size in offered.get("node_dim", (CATALOGUE["node_dim"].default,)):
            check_heads(int(heads), int(size))


def check_heads(heads: int, node_dim: int) -> None:
    """Raise SpaceError unless attention heads can share an embedding out."""
    if node_dim % heads:
        raise SpaceError(f"{heads} heads do not divide a node embedding of size {node_dim}.", field="heads")


def standard_architecture(space: SearchSpace) -> Architecture:
    """The catalogue's default for each decision: what a person would train who searches nothing.

    Where a default is not offered, the nearest number is taken, or the first name.
    """
    assigned: dict[str, Choice] = {}
    for decision in space.decisions:
        if space.is_active(decision, assigned):
            assigned[decision.name] = _nearest(decision.choices, CATALOGUE[decision.name.partition(".")[0]].default)
    return Architecture.of(assigned)


def _nearest(choices: Sequence[Choice], wanted: Choice) -> Choice:
    if wanted in choices or isinstance(wanted, str):
        return wanted if wanted in choices else choices[0]
    return min(choices, key=lambda choice: abs(float(choice) - float(wanted)))


_DEMO: dict[str, tuple[Choice, ...]] = {
    "node_dim": (32, 64, 128),
    "edge_dim": (0, 8),
    "layers": (1, 2, 3),
    "operator": ("lightgcn", "gcn", "gat", "sage"),
    "activation": ("identity", "relu", "leaky_relu", "elu"),
    "combination": ("last", "sum", "mean", "concat"),
    "dropout": (0.0, 0.1, 0.2),
    "l2": (0.0, 1e-5, 1e-4),
    "loss": ("softmax",),
    "temperature": (0.2, 0.3, 0.4),
    "learning_rate": (0.01, 0.02, 0.03),
}

PRESETS: dict[str, dict[str, tuple[Choice, ...]]] = {
    "demo": _DEMO,
    # The six decisions of the article on searching GNN recommenders by reinforcement learning: sizes of node and edge
    # embeddings, network structure, activation, regularisation and aggregation. How to train is not searched.
    "seed-paper": {
        "node_dim": (16, 32, 64, 128, 256),
        "edge_dim": (0, 4, 8, 16),
        "layers": (1, 2, 3),
        "operator": ("gcn", "gat", "sage"),
        "activation": ("identity", "relu", "leaky_relu", "elu", "tanh"),
        "combination": ("last", "sum", "mean", "concat"),
        "dropout": (0.0, 0.1, 0.2, 0.4),
        "l2": (0.0, 1e-5, 1e-4, 1e-3),
    },
    "lightgcn-family": {
        "node_dim": (32, 64, 128, 256),
        "layers": (1, 2, 3, 4),
        "operator": ("lightgcn",),
        "combination": ("sum", "mean", "concat"),
        "item_bias": ITEM_BIASES,
        "dropout": (0.0, 0.1, 0.2),
        "l2": (0.0, 1e-6, 1e-5, 1e-4),
        "loss": ("softmax", "bpr"),
        "temperature": (0.05, 0.1, 0.15, 0.2, 0.3, 0.4),
        "learning_rate": (0.002, 0.005, 0.01, 0.02),
    },
    # For datasets with attributes: without them it is the demo.
    "attributes": _DEMO | {"inputs": INPUTS},
    "full": {entry.name: entry.offered for entry in CATALOGUE.values() if not entry.needs_attributes},
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
