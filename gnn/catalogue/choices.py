"""The names of categorical choices, grouped as conditions need them, and how people read them."""

from __future__ import annotations

ATTENTION_OPERATORS = ("gat", "gatv2", "graph_transformer")
NONLINEAR_OPERATORS = ("gcn", "ngcf", "sage", "sage_max", "gin", *ATTENTION_OPERATORS)
PROPAGATING_OPERATORS = ("lightgcn", "sgc", "lr_gccf", *NONLINEAR_OPERATORS)
OPERATORS = (*PROPAGATING_OPERATORS, "identity")
ACTIVATIONS = ("identity", "relu", "leaky_relu", "prelu", "elu", "silu", "tanh")
NORMALISATIONS = ("none", "layer", "pair", "l2")
SKIPS = ("none", "residual", "initial")
COMBINATIONS = ("last", "sum", "mean", "concat", "weighted", "attention")
LOSSES = ("softmax", "bpr")
TEMPERED_LOSSES = ("softmax",)
"""Softmax objectives, whose scores are divided by a temperature that is a decision."""
SCORERS = ("dot", "cosine", "bilinear", "mlp")
NATURAL_SCORER = {"softmax": "cosine", "bpr": "dot"}
"""The scorer each objective was published with, taken where the scorer is not a decision."""
ITEM_BIASES = ("learned", "none")

LABELS: dict[str, str] = {
    "lightgcn": "LightGCN", "sgc": "SGC", "lr_gccf": "LR-GCCF", "gcn": "GCN", "ngcf": "NGCF", "sage": "GraphSAGE",
    "sage_max": "GraphSAGE max", "gin": "GIN", "gat": "GAT", "gatv2": "GATv2", "graph_transformer": "Graph transformer",
    "identity": "identity", "relu": "ReLU", "leaky_relu": "LeakyReLU", "prelu": "PReLU", "elu": "ELU", "silu": "SiLU", "tanh": "tanh",
    "layer": "layer norm", "pair": "pair norm", "l2": "unit length",
    "residual": "from the layer before", "initial": "from the embeddings",
    "last": "last layer", "sum": "sum", "mean": "mean", "concat": "concatenation", "weighted": "learned weights",
    "attention": "attention", "dot": "dot product", "cosine": "cosine", "bilinear": "bilinear", "mlp": "MLP towers",
    "softmax": "softmax", "bpr": "BPR", "learned": "learned", "none": "none",
}  # fmt: skip
"""How categorical choices are spelled for people."""
