"""An architecture's decisions, complete and typed."""

from __future__ import annotations

from dataclasses import dataclass

from gnn.catalogue import ATTENTION_OPERATORS, CATALOGUE, NONLINEAR_OPERATORS, check_heads
from gnn.errors import SpaceError
from gnn.space import Architecture, Choice


@dataclass(frozen=True)
class Settings:
    """An architecture with every decision it leaves out at the catalogue's default."""

    node_dim: int
    edge_dim: int
    operators: tuple[str, ...]
    heads: tuple[int, ...]
    activations: tuple[str, ...]
    combination: str
    item_bias: bool
    dropout: float
    l2: float
    loss: str
    temperature: float
    learning_rate: float

    @classmethod
    def of(cls, architecture: Architecture) -> Settings:
        """Read an architecture.

        Raises:
            SpaceError: it decides what the catalogue does not have, or as the engine cannot train.
        """

        def choose(name: str) -> Choice:
            return architecture.get(name, CATALOGUE[name.partition(".")[0]].default)

        CATALOGUE["layers"].check(choose("layers"))
        layers = range(1, int(choose("layers")) + 1)
        for name, choice in architecture.choices:
            _check(name, choice, len(layers))
        operators = tuple(str(choose(f"operator.{layer}")) for layer in layers)
        heads = tuple(int(choose(f"heads.{layer}")) if o in ATTENTION_OPERATORS else 1 for layer, o in zip(layers, operators, strict=True))
        for count in heads:
            check_heads(count, int(choose("node_dim")))
        activations = tuple(str(choose(f"activation.{layer}")) for layer in layers)
        return cls(
            node_dim=int(choose("node_dim")),
            edge_dim=int(choose("edge_dim")),
            operators=operators,
            heads=heads,
            # The others are linear by definition.
            activations=tuple(a if o in NONLINEAR_OPERATORS else "identity" for o, a in zip(operators, activations, strict=True)),
            combination=str(choose("combination")),
            item_bias=choose("item_bias") == "learned",
            dropout=float(choose("dropout")),
            l2=float(choose("l2")),
            loss=str(choose("loss")),
            temperature=float(choose("temperature")),
            learning_rate=float(choose("learning_rate")),
        )


def _check(name: str, choice: Choice, n_layers: int) -> None:
    stem, _, layer = name.partition(".")
    entry = CATALOGUE.get(stem)
    repeated = entry is not None and entry.per is not None
    if entry is None or bool(layer) != repeated:
        raise SpaceError(f"Unknown decision '{name}'; the catalogue has {', '.join(CATALOGUE)}.", field=name)
    if layer and not (layer.isdecimal() and 1 <= int(layer) <= n_layers):
        raise SpaceError(f"'{name}' decides a layer that a network of {n_layers} layers does not have.", field=name)
    entry.check(choice)
