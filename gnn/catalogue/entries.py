"""Every decision the engine understands, with its choices, defaults, conditions and help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gnn.catalogue.choices import (
    ACTIVATIONS,
    ATTENTION_OPERATORS,
    CANDIDATES,
    COMBINATIONS,
    CONTRASTS,
    CORRECTIONS,
    INPUTS,
    ITEM_BIASES,
    LOSSES,
    NEGATIVES,
    NOISE_CONTRASTS,
    NONLINEAR_OPERATORS,
    NORMALISATIONS,
    OPERATORS,
    PAIR_LOSSES,
    POSITIVES,
    PROPAGATING_OPERATORS,
    SCHEDULES,
    SCORED_LOSSES,
    SCORERS,
    SKIPS,
    TEMPERED_LOSSES,
)
from gnn.errors import SpaceError
from gnn.space import Choice


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
    needs_attributes: bool = False
    """Choices other than the default want a dataset with attributes of users or items, so presets leave it out."""

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
            offered=(16, 32, 64, 128, 256), default=128, minimum=1, maximum=4096, whole=True,
        ),
        CatalogueEntry(
            "inputs", "Node inputs", "What embeddings are made of: learned for each user and item, or projected from their attributes.",
            offered=INPUTS, default="ids", needs_attributes=True,
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
            "normalisation", "Normalisation", "What keeps a layer's output in proportion, before its activation.",
            offered=NORMALISATIONS, default="none", per="layers", when={"operator": PROPAGATING_OPERATORS},
        ),
        CatalogueEntry(
            "skip", "Skip connection", "What is added to a layer's output, so that depth cannot lose it.",
            offered=SKIPS, default="none", per="layers", when={"operator": PROPAGATING_OPERATORS},
        ),
        CatalogueEntry(
            "combination", "Layer combination", "How the outputs of all layers become one embedding.",
            offered=COMBINATIONS, default="mean",
        ),
        CatalogueEntry(
            "dropout", "Dropout", "Regularisation: share of embedding entries hidden at each training step.",
            offered=(0.0, 0.1, 0.2, 0.4), default=0.1, minimum=0.0, maximum=0.9,
        ),
        CatalogueEntry(
            "message_dropout", "Message dropout", "Share of the entries of each layer's output hidden at each training step.",
            offered=(0.0, 0.1, 0.2, 0.4), default=0.0, minimum=0.0, maximum=0.9,
        ),
        CatalogueEntry(
            "edge_dropout", "Edge dropout", "Share of the interactions left out of the graph at each training step.",
            offered=(0.0, 0.1, 0.2, 0.4), default=0.0, minimum=0.0, maximum=0.9,
        ),
        CatalogueEntry(
            "l2", "L2 regularisation", "Weight of the squared norm of the embeddings used in a step.",
            offered=(0.0, 1e-6, 1e-5, 1e-4, 1e-3), default=0.0, minimum=0.0, maximum=1.0,
        ),
        CatalogueEntry(
            "loss", "Training objective", "Softmax over the catalogue or a sample of it, pairs of seen and unseen items, or distances.",
            offered=LOSSES, default="softmax",
        ),
        CatalogueEntry(
            "negatives", "Negatives", "How the unseen items that a seen one is compared with are drawn.",
            offered=NEGATIVES, default="uniform", when={"loss": PAIR_LOSSES},
        ),
        CatalogueEntry(
            "negative_count", "Negatives per interaction", "Unseen items that each seen one is compared with.",
            offered=(1, 4, 16), default=1, minimum=1, maximum=256, whole=True, when={"loss": PAIR_LOSSES},
        ),
        CatalogueEntry(
            "candidates", "Sampled catalogue", "How the items that stand for the catalogue in a sampled softmax are drawn.",
            offered=CANDIDATES, default="uniform", when={"loss": ("sampled_softmax",)},
        ),
        CatalogueEntry(
            "popularity_correction", "Popularity correction", "Takes the log of an item's chance to be drawn off its score in training.",
            offered=CORRECTIONS, default="logq", when={"loss": ("sampled_softmax",), "candidates": ("popularity", "in_batch")},
        ),
        CatalogueEntry(
            "popularity_offset", "Popularity offset", "Share of an item's log popularity added in training alone; more favours rare items.",
            offered=(0.0, 0.25, 0.5), default=0.0, minimum=0.0, maximum=1.0, when={"loss": ("softmax",)},
        ),
        CatalogueEntry(
            "positives", "Seen items of a user", "Whether the softmax lets them compete with each other, or each with unseen ones alone.",
            offered=POSITIVES, default="compete", when={"loss": ("softmax",)},
        ),
        CatalogueEntry(
            "sampled_items", "Items per step", "Unseen items that stand for the catalogue at each training step, drawn anew; 0 takes all.",
            offered=(0, 2048, 4096), default=0, minimum=0, maximum=1e7, whole=True, when={"loss": ("softmax",)},
        ),
        CatalogueEntry(
            "margin", "Margin", "How far apart seen and unseen items should be; for CCL, the cosine from which a negative counts.",
            offered=(0.1, 0.3, 0.5, 0.8), default=0.5, minimum=0.0, maximum=2.0, when={"loss": ("margin", "ccl")},
        ),
        CatalogueEntry(
            "negative_weight", "Weight of negatives", "What the negatives of CCL count for, against the seen items.",
            offered=(1.0, 10.0, 50.0), default=10.0, minimum=0.01, maximum=1000.0, when={"loss": ("ccl",)},
        ),
        CatalogueEntry(
            "uniformity", "Weight of uniformity", "What spreading embeddings counts for, against drawing users to their items.",
            offered=(0.2, 0.5, 1.0, 2.0), default=1.0, minimum=0.01, maximum=10.0, when={"loss": ("directau",)},
        ),
        CatalogueEntry(
            "scorer", "Scorer", "How an embedding of a user and one of an item become a score.",
            offered=SCORERS, default="cosine", when={"loss": SCORED_LOSSES},
        ),
        CatalogueEntry(
            "item_bias", "Item bias", "A number per item added to its scores, so that embeddings need not encode popularity.",
            offered=ITEM_BIASES, default="learned", when={"loss": SCORED_LOSSES},
        ),
        CatalogueEntry(
            "temperature", "Softmax temperature", "Lower values concentrate on the hardest items.",
            offered=(0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4), default=0.25, minimum=0.01, maximum=10.0, when={"loss": TEMPERED_LOSSES},
        ),
        CatalogueEntry(
            "contrastive", "Contrastive term", "Embeddings of a node should agree between two disturbed views of the graph.",
            offered=CONTRASTS, default="none",
        ),
        CatalogueEntry(
            "contrastive_weight", "Weight of the contrastive term", "What agreement between the views counts for.",
            offered=(0.01, 0.05, 0.1, 0.2), default=0.1, minimum=1e-4, maximum=10.0, when={"contrastive": CONTRASTS[1:]},
        ),
        CatalogueEntry(
            "contrastive_temperature", "Contrastive temperature", "Lower values concentrate on the nodes that are most alike.",
            offered=(0.1, 0.2, 0.5), default=0.2, minimum=0.01, maximum=10.0, when={"contrastive": CONTRASTS[1:]},
        ),
        CatalogueEntry(
            "contrastive_drop", "Edges dropped per view", "Share of the interactions that each view of SGL lacks.",
            offered=(0.1, 0.2, 0.4), default=0.1, minimum=0.01, maximum=0.9, when={"contrastive": ("sgl",)},
        ),
        CatalogueEntry(
            "contrastive_noise", "Noise per layer", "Length of the noise that a view adds to each layer's output.",
            offered=(0.05, 0.1, 0.2), default=0.1, minimum=1e-3, maximum=2.0, when={"contrastive": NOISE_CONTRASTS},
        ),
        CatalogueEntry(
            "learning_rate", "Learning rate", "Step size of the Adam optimiser.",
            offered=(0.002, 0.005, 0.01, 0.02, 0.03), default=0.01, minimum=1e-6, maximum=1.0,
        ),
        CatalogueEntry(
            "schedule", "Learning rate schedule", "The learning rate stays, or falls along a cosine towards the last epoch allowed.",
            offered=SCHEDULES, default="constant",
        ),
        CatalogueEntry(
            "clip", "Gradient clipping", "Longest gradient a step may follow, over all weights; longer ones are shortened, 0 leaves them.",
            offered=(0.0, 0.1, 1.0), default=0.0, minimum=0.0, maximum=1000.0,
        ),
        CatalogueEntry(
            "averaging", "Weight averaging", "Recommends with an average of the weights that keeps this share at each step; 0 is none.",
            offered=(0.0, 0.9, 0.95, 0.98), default=0.95, minimum=0.0, maximum=0.9999,
        ),
    )
}  # fmt: skip
