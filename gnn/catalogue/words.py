"""An architecture in words."""

from __future__ import annotations

from gnn.catalogue.choices import LABELS
from gnn.catalogue.entries import CATALOGUE
from gnn.space import Architecture, choice_text


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
    if (inputs := str(architecture.get("inputs", "ids"))) != "ids":
        parts.append(LABELS[inputs])
    if "edge_dim" in architecture and architecture["edge_dim"]:
        parts.append(f"edge {choice_text(architecture['edge_dim'])}")
    parts.append(" → ".join(layers))
    for name, prefix in (
        ("combination", ""),
        ("loss", ""),
        ("negatives", "negatives "),
        ("scorer", ""),
        ("temperature", "τ "),
        ("contrastive", ""),
        ("dropout", "dropout "),
        ("l2", "L2 "),
        ("learning_rate", "lr "),
    ):
        if name in architecture and architecture[name] not in (0, "none"):
            choice = architecture[name]
            parts.append(prefix + LABELS.get(str(choice), choice_text(choice)))
    return " · ".join(parts)
