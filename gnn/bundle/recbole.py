"""An architecture as a configuration of RecBole 1.2, where RecBole has the model, and what has no counterpart there."""

from __future__ import annotations

import json
from typing import Any

from gnn.catalogue import CATALOGUE, describe
from gnn.catalogue.choices import LABELS
from gnn.protocol import Protocol
from gnn.settings import LayerSettings, Settings
from gnn.space import Architecture, choice_text

METRICS = {"precision": "Precision", "recall": "Recall", "ndcg": "NDCG", "map": "MAP", "mrr": "MRR", "hit": "Hit"}
"""What RecBole calls the metrics that it has."""
MODELS = {
    "BPR": ("identity", LayerSettings("identity"), ()),
    "LightGCN": ("lightgcn", LayerSettings(), ("mean",)),
    "SGL": ("lightgcn", LayerSettings(), ("mean",)),
    "NGCF": ("ngcf", LayerSettings("ngcf", activation="leaky_relu", normalisation="l2"), ("concat",)),
}
"""Model -> operator of all its layers, how each layer is there, and how layers are combined; nothing where that makes no difference."""


def recbole_model(settings: Settings) -> str | None:
    """The model of RecBole that has the operators of these settings, if there is one."""
    operators = {layer.operator for layer in settings.layers}
    found = [name for name, (operator, _, _) in MODELS.items() if operators == {operator}]
    if found == ["LightGCN", "SGL"]:
        return "SGL" if settings.contrastive == "sgl" else "LightGCN"
    return found[0] if found else None


def recbole_config(architecture: Architecture, protocol: Protocol, *, seed: int) -> str:
    """YAML whose comments say what RecBole does in another way; comments alone where it has no such model.

    Raises:
        SpaceError: the engine cannot train the architecture.
    """
    settings = Settings.of(architecture)
    model = recbole_model(settings)
    if model is None:
        operators = " and ".join(dict.fromkeys(LABELS[layer.operator] for layer in settings.layers))
        return (
            f"# {describe(architecture)}\n#\n# RecBole has no model whose layers are {operators}, so there is no configuration of this "
            f"architecture.\n# It has those whose layers are all LightGCN (also with SGL), all NGCF, or none (matrix factorisation).\n"
        )
    lines = [f"# {describe(architecture)}", f"# as RecBole's {model}; to be read by RecBole 1.2. RecBole does otherwise:", "#"]
    lines += [f"# - {difference}" for difference in _differences(settings, protocol, model)]
    for name, value in _config(settings, protocol, seed, model).items():
        lines.append(f"{name}: {_yaml(value)}")
    return "\n".join(lines) + "\n"


def _yaml(value: Any) -> str:
    """A value in YAML's flow style, which takes JSON; numbers without a mantissa's point would be read as text."""
    if isinstance(value, float):
        text = repr(value)
        return text.replace("e", ".0e") if "e" in text and "." not in text else text
    return str(value) if isinstance(value, str) else json.dumps(value)


def _config(settings: Settings, protocol: Protocol, seed: int, model: str) -> dict[str, Any]:
    depth = len(settings.layers)
    config: dict[str, Any] = {"model": model, "embedding_size": settings.node_dim}
    if model == "NGCF":
        config |= {
            "hidden_size_list": [settings.node_dim] * depth,
            "node_dropout": settings.edge_dropout,
            "message_dropout": settings.message_dropout,
        }
    elif model != "BPR":
        config["n_layers"] = depth
    if model == "SGL":
        config |= {
            "type": "ED",
            "drop_ratio": settings.contrastive_drop,
            "ssl_tau": settings.contrastive_temperature,
            "ssl_weight": settings.contrastive_weight,
        }
    if model != "BPR":
        config["reg_weight"] = settings.l2
    if model == "LightGCN":
        config["require_pow"] = True
    negatives = {"distribution": "popularity" if settings.negatives == "popularity" else "uniform", "sample_num": settings.negative_count}
    config |= {
        "learner": "adam",
        "learning_rate": settings.learning_rate,
        "train_neg_sample_args": negatives if settings.loss == "bpr" else {"distribution": "uniform", "sample_num": 1},
        "clip_grad_norm": {"max_norm": settings.clip, "norm_type": 2} if settings.clip else None,
        "epochs": protocol.max_epochs,
        "stopping_step": protocol.patience,
        "seed": seed,
        "eval_args": _split(protocol),
        "metrics": list(METRICS.values()),
        "topk": list(protocol.cutoffs),
        "valid_metric": f"{METRICS.get(protocol.metric, 'NDCG')}@{protocol.k}",
    }
    return config


def _split(protocol: Protocol) -> dict[str, Any]:
    shares = [round(1 - protocol.valid_fraction - protocol.test_fraction, 6), protocol.valid_fraction, protocol.test_fraction]
    match protocol.split:
        case "leave_one_out":
            return {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"}
        case "temporal":
            return {"split": {"RS": shares}, "order": "TO", "group_by": "none", "mode": "full"}
        case _:
            return {"split": {"RS": shares}, "order": "RO", "group_by": "user", "mode": "full"}


def _differences(settings: Settings, protocol: Protocol, model: str) -> list[str]:
    """What RecBole's model does in another way than these settings, each as a sentence."""
    _, usual, combinations = MODELS[model]
    found = []
    for name, own, there in (
        ("inputs", settings.inputs, "ids"),
        ("edge_dim", settings.edge_dim, 0),
        ("dropout", settings.dropout, 0.0),
        ("message_dropout", settings.message_dropout, settings.message_dropout if model == "NGCF" else 0.0),
        ("edge_dropout", settings.edge_dropout, settings.edge_dropout if model == "NGCF" else 0.0),
        ("scorer", settings.scorer, "dot"),
        ("item_bias", "learned" if settings.item_bias else "none", "none"),
        ("loss", settings.loss, "bpr"),
        ("contrastive", settings.contrastive, "sgl" if model == "SGL" else "none"),
        ("schedule", settings.schedule, "constant"),
        ("averaging", settings.averaging, 0.0),
    ):
        if own != there:
            found.append(_difference(CATALOGUE[name].label, own, there))
    if combinations and settings.combination not in combinations:
        found.append(_difference(CATALOGUE["combination"].label, settings.combination, combinations[0]))
    for number, layer in enumerate(settings.layers, 1):
        for name in ("activation", "normalisation", "skip"):
            own, there = getattr(layer, name), getattr(usual, name)
            if own != there:
                found.append(_difference(f"{CATALOGUE[name].label} of layer {number}", own, there))
    if model == "NGCF":
        if any(layer.activation == "leaky_relu" for layer in settings.layers):
            found.append("LeakyReLU: its slope below zero is 0.2 there, 0.01 here.")
        if settings.edge_dropout:
            found.append("Edge dropout: what is left is scaled up there; here the graph is normalised anew.")
    if settings.loss == "bpr" and settings.negatives not in ("uniform", "popularity"):
        found.append(_difference(CATALOGUE["negatives"].label, settings.negatives, "uniform"))
    if settings.l2:
        averaged = "it averages over the pairs of a batch, this one over its users"
        if model in ("NGCF", "SGL"):
            averaged += ", and its lengths are not squared"
        found.append(f"{CATALOGUE['l2'].label} {choice_text(settings.l2)}: {'there is none' if model == 'BPR' else averaged}.")
    if protocol.split in ("k_fold", "predefined"):
        found.append(
            f"The {protocol.split} split: RecBole divides at random by the shares below, unless benchmark_filename names the parts."
        )
    if protocol.metric not in METRICS:
        found.append(f"The metric {protocol.metric}: it stops by NDCG.")
    found.append("Batches, initial weights and random splits are its own, so that its figures are near these and not equal.")
    return found


def _difference(label: str, own: object, there: object) -> str:
    words = [LABELS.get(value, value) if isinstance(value, str) else str(value) for value in (own, there)]
    return f"{label}: {words[0]} here, {words[1]} there."
