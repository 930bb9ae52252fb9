"""The names of categorical choices, grouped as conditions need them, and how people read them."""

from __future__ import annotations

ATTENTION_OPERATORS = ("gat", "gatv2", "graph_transformer")
NONLINEAR_OPERATORS = ("gcn", "ngcf", *ATTENTION_OPERATORS, "sage", "sage_max", "gin")
PROPAGATING_OPERATORS = ("lightgcn", "sgc", "lr_gccf", *NONLINEAR_OPERATORS)
OPERATORS = (*PROPAGATING_OPERATORS, "identity")
ACTIVATIONS = ("identity", "relu", "leaky_relu", "prelu", "elu", "silu", "tanh")
NORMALISATIONS = ("none", "layer", "pair", "l2")
SKIPS = ("none", "residual", "initial")
COMBINATIONS = ("last", "sum", "mean", "concat", "weighted", "attention")
PAIR_LOSSES = ("bpr", "bce", "margin", "ccl", "ultragcn")
"""Objectives that compare seen items with negatives drawn for each of them."""
TEMPERED_LOSSES = ("softmax", "sampled_softmax")
"""Objectives whose scores are divided by a temperature that is a decision."""
COSINE_LOSSES = ("ccl", "directau")
"""Objectives that are defined on cosines alone, without an item bias."""
LOGISTIC_LOSSES = ("bpr", "bce", "ultragcn")
"""Objectives that read scores as log odds."""
LOSSES = (*TEMPERED_LOSSES, *PAIR_LOSSES, "directau")
SCORED_LOSSES = tuple(loss for loss in LOSSES if loss not in COSINE_LOSSES)
NATURAL_SCORER = {loss: "cosine" if loss in (*TEMPERED_LOSSES, *COSINE_LOSSES) else "dot" for loss in LOSSES}
"""The scorer each objective was published with, taken where the scorer is not a decision."""
SCORERS = ("dot", "cosine", "bilinear", "mlp")
NEGATIVES = ("uniform", "popularity", "hard", "in_batch")
CANDIDATES = ("uniform", "popularity", "in_batch")
POSITIVES = ("compete", "apart")
CORRECTIONS = ("logq", "none")
NOISE_CONTRASTS = ("simgcl", "xsimgcl")
CONTRASTS = ("none", "sgl", *NOISE_CONTRASTS)
ITEM_BIASES = ("learned", "none")
INPUTS = ("ids", "features", "both")
SCHEDULES = ("constant", "cosine")

LABELS: dict[str, str] = {
    "lightgcn": "LightGCN", "sgc": "SGC", "lr_gccf": "LR-GCCF", "gcn": "GCN", "ngcf": "NGCF", "sage": "GraphSAGE",
    "sage_max": "GraphSAGE max", "gin": "GIN", "gat": "GAT", "gatv2": "GATv2", "graph_transformer": "Graph transformer",
    "identity": "identity", "relu": "ReLU", "leaky_relu": "LeakyReLU", "prelu": "PReLU", "elu": "ELU", "silu": "SiLU", "tanh": "tanh",
    "layer": "layer norm", "pair": "pair norm", "l2": "unit length",
    "residual": "from the layer before", "initial": "from the embeddings",
    "last": "last layer", "sum": "sum", "mean": "mean", "concat": "concatenation", "weighted": "learned weights",
    "attention": "attention", "dot": "dot product", "cosine": "cosine", "bilinear": "bilinear", "mlp": "MLP towers",
    "softmax": "softmax", "sampled_softmax": "sampled softmax", "bpr": "BPR", "bce": "cross-entropy", "margin": "margin",
    "ccl": "CCL", "ultragcn": "UltraGCN", "directau": "DirectAU",
    "uniform": "uniform", "popularity": "by popularity", "hard": "hardest of several", "in_batch": "from the batch",
    "compete": "compete with each other", "apart": "each on its own",
    "logq": "log q", "sgl": "SGL", "simgcl": "SimGCL", "xsimgcl": "XSimGCL", "learned": "learned", "none": "none",
    "constant": "constant", "ids": "ids alone", "features": "attributes instead of ids", "both": "ids and attributes",
}  # fmt: skip
"""How categorical choices are spelled for people."""
