"""An architecture's decisions, complete and typed."""

from __future__ import annotations

from dataclasses import dataclass

from gnn.catalogue import CATALOGUE, check_heads
from gnn.catalogue.choices import LOGISTIC_LOSSES, NATURAL_SCORER, PROPAGATING_OPERATORS, SCORED_LOSSES, TEMPERED_LOSSES
from gnn.errors import SpaceError
from gnn.space import Architecture, Choice

COSINE_TEMPERATURE = 0.2
"""Of objectives that read scores as log odds: cosines as they are would never leave the middle of the scale."""


@dataclass(frozen=True)
class LayerSettings:
    """One layer; what does not apply to its operator is at its neutral value."""

    operator: str = "lightgcn"
    heads: int = 1
    activation: str = "identity"
    normalisation: str = "none"
    skip: str = "none"


@dataclass(frozen=True)
class Settings:
    """An architecture with every decision that it leaves out, or that has no part in it, at the catalogue's default.

    Equal settings are the same network, trained in the same way.
    """

    node_dim: int
    inputs: str
    edge_dim: int
    layers: tuple[LayerSettings, ...]
    combination: str
    scorer: str
    item_bias: bool
    dropout: float
    message_dropout: float
    edge_dropout: float
    l2: float
    loss: str
    negatives: str
    negative_count: int
    candidates: str
    corrected: bool
    popularity_offset: float
    positives: str
    sampled_items: int
    """Unseen items that stand for the catalogue at each step of it; 0 for all."""
    margin: float
    negative_weight: float
    uniformity: float
    temperature: float
    """Training divides scores by it."""
    contrastive: str
    contrastive_weight: float
    contrastive_temperature: float
    contrastive_drop: float
    contrastive_noise: float
    learning_rate: float
    schedule: str
    clip: float
    """Highest norm of a step's gradient; 0 for any."""
    averaging: float
    """Decay of the average of the weights, per step; 0 for none."""

    @classmethod
    def of(cls, architecture: Architecture) -> Settings:
        """Read an architecture.

        Raises:
            SpaceError: it decides what the catalogue does not have, or as the engine cannot train.
        """
        read = _Reader(architecture)
        loss = read.text("loss")
        own = NATURAL_SCORER[loss]
        scorer = str(architecture.get("scorer", own)) if loss in SCORED_LOSSES else own
        layers = tuple(read.layer(layer) for layer in range(1, read.n_layers + 1))
        propagates = any(layer.operator in PROPAGATING_OPERATORS for layer in layers)
        return cls(
            node_dim=read.whole("node_dim"),
            inputs=read.text("inputs"),
            # Without a layer that propagates, nothing reads edges.
            edge_dim=read.whole("edge_dim") if propagates else 0,
            layers=layers,
            combination=read.text("combination"),
            scorer=scorer,
            item_bias=loss in SCORED_LOSSES and read.text("item_bias") == "learned",
            dropout=read.number("dropout"),
            message_dropout=read.number("message_dropout"),
            edge_dropout=read.number("edge_dropout") if propagates else 0.0,
            l2=read.number("l2"),
            loss=loss,
            negatives=read.text("negatives"),
            negative_count=read.whole("negative_count"),
            candidates=read.text("candidates"),
            corrected=read.text("popularity_correction") == "logq",
            popularity_offset=read.number("popularity_offset"),
            positives=read.text("positives"),
            sampled_items=read.whole("sampled_items"),
            margin=read.number("margin"),
            negative_weight=read.number("negative_weight"),
            uniformity=read.number("uniformity"),
            temperature=_temperature(loss, scorer, read.number("temperature")),
            contrastive=read.text("contrastive"),
            contrastive_weight=read.number("contrastive_weight"),
            contrastive_temperature=read.number("contrastive_temperature"),
            contrastive_drop=read.number("contrastive_drop"),
            contrastive_noise=read.number("contrastive_noise"),
            learning_rate=read.number("learning_rate"),
            schedule=read.text("schedule"),
            clip=read.number("clip"),
            averaging=read.number("averaging"),
        )


def _temperature(loss: str, scorer: str, chosen: float) -> float:
    if loss in TEMPERED_LOSSES:
        return chosen
    return COSINE_TEMPERATURE if scorer == "cosine" and loss in LOGISTIC_LOSSES else 1.0


class _Reader:
    """Checked choices of an architecture, with the catalogue's defaults."""

    def __init__(self, architecture: Architecture) -> None:
        self.architecture = architecture
        CATALOGUE["layers"].check(self._choose("layers"))
        self.n_layers = self.whole("layers")
        for name, choice in architecture.choices:
            _check(name, choice, self.n_layers)

    def _choose(self, name: str) -> Choice:
        """The choice for a decision; the default where the catalogue's conditions say that it has no part."""
        stem, dot, layer = name.partition(".")
        entry = CATALOGUE[stem]
        for parent, allowed in entry.when.items():
            if self._choose(parent + dot + layer if CATALOGUE[parent].per else parent) not in allowed:
                return entry.default
        return self.architecture.get(name, entry.default)

    def whole(self, name: str) -> int:
        return int(self._choose(name))

    def number(self, name: str) -> float:
        return float(self._choose(name))

    def text(self, name: str) -> str:
        return str(self._choose(name))

    def layer(self, layer: int) -> LayerSettings:
        heads = self.whole(f"heads.{layer}")
        check_heads(heads, self.whole("node_dim"))
        return LayerSettings(
            self.text(f"operator.{layer}"),
            heads,
            self.text(f"activation.{layer}"),
            self.text(f"normalisation.{layer}"),
            self.text(f"skip.{layer}"),
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
