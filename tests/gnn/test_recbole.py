"""Configurations for RecBole: what it reads, and what it is said to do otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import yaml

from gnn.bundle.recbole import recbole_config
from gnn.catalogue import preset_space
from gnn.protocol import Protocol
from gnn.space import Architecture, Choice

PAPERS: dict[str, dict[str, Choice]] = {
    "LightGCN": {"node_dim": 64, "layers": 3, "loss": "bpr", "item_bias": "none", "dropout": 0.0, "averaging": 0.0},
    "BPR": {
        "node_dim": 64, "layers": 1, "operator.1": "identity", "loss": "bpr", "item_bias": "none", "dropout": 0.0, "averaging": 0.0,
    },
    "SGL": {
        "layers": 2, "loss": "bpr", "item_bias": "none", "dropout": 0.0, "averaging": 0.0, "contrastive": "sgl", "contrastive_drop": 0.2,
        "contrastive_weight": 0.05, "contrastive_temperature": 0.5,
    },
}  # fmt: skip
"""Model -> the architecture that is the same one."""


def read(choices: dict[str, Choice], **protocol: Any) -> tuple[dict[str, Any], list[str]]:
    """What RecBole reads, and what the comments say it does otherwise."""
    text = recbole_config(Architecture.of(choices), Protocol(**protocol), seed=7)
    return yaml.safe_load(text) or {}, [line[4:] for line in text.splitlines() if line.startswith("# - ")]


@pytest.mark.parametrize("model", PAPERS)
def test_a_model_as_its_paper_has_it_differs_in_chance_alone(model: str) -> None:
    config, differences = read(PAPERS[model])
    assert config["model"] == model
    assert [text.partition(" ")[0] for text in differences] == ["Batches,"]


def test_the_settings_are_those_of_the_architecture_and_the_protocol() -> None:
    choices = PAPERS["LightGCN"] | {"l2": 1e-5, "learning_rate": 0.003, "negatives": "popularity", "negative_count": 4, "clip": 1.0}
    config, _ = read(choices, metric="recall", k=10, ks=(5,), max_epochs=50, patience=6, valid_fraction=0.2)
    assert config == {
        "model": "LightGCN",
        "embedding_size": 64,
        "n_layers": 3,
        "reg_weight": 1e-5,
        "require_pow": True,
        "learner": "adam",
        "learning_rate": 0.003,
        "train_neg_sample_args": {"distribution": "popularity", "sample_num": 4},
        "clip_grad_norm": {"max_norm": 1.0, "norm_type": 2},
        "epochs": 50,
        "stopping_step": 6,
        "seed": 7,
        "eval_args": {"split": {"RS": [0.7, 0.2, 0.1]}, "order": "RO", "group_by": "user", "mode": "full"},
        "metrics": ["Precision", "Recall", "NDCG", "MAP", "MRR", "Hit"],
        "topk": [5, 10],
        "valid_metric": "Recall@10",
    }
    sgl, _ = read(PAPERS["SGL"])
    assert {name: sgl[name] for name in ("type", "drop_ratio", "ssl_tau", "ssl_weight", "n_layers")} == {
        "type": "ED", "drop_ratio": 0.2, "ssl_tau": 0.5, "ssl_weight": 0.05, "n_layers": 2,
    }  # fmt: skip
    ngcf, _ = read({"layers": 2, "operator.1": "ngcf", "operator.2": "ngcf", "message_dropout": 0.1, "edge_dropout": 0.4})
    assert (ngcf["hidden_size_list"], ngcf["message_dropout"], ngcf["node_dropout"]) == ([128, 128], 0.1, 0.4)


@pytest.mark.parametrize(
    ("protocol", "arguments"),
    [
        ({"split": "leave_one_out"}, {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"}),
        ({"split": "temporal"}, {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "TO", "group_by": "none", "mode": "full"}),
    ],
)
def test_splits(protocol: dict[str, Any], arguments: dict[str, Any]) -> None:
    assert read(PAPERS["LightGCN"], **protocol)[0]["eval_args"] == arguments


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"edge_dim": 4}, "Edge embedding size: 4 here, 0 there."),
        ({"combination": "last"}, "Layer combination: last layer here, mean there."),
        ({"scorer": "mlp"}, "Scorer: MLP towers here, dot product there."),
        ({"item_bias": "learned"}, "Item bias: learned here, none there."),
        ({"loss": "softmax"}, "Training objective: softmax here, BPR there."),
        ({"dropout": 0.2}, "Dropout: 0.2 here, 0.0 there."),
        ({"skip.2": "residual"}, "Skip connection of layer 2: from the layer before here, none there."),
        ({"normalisation.1": "pair"}, "Normalisation of layer 1: pair norm here, none there."),
        ({"negatives": "in_batch"}, "Negatives: from the batch here, uniform there."),
        ({"contrastive": "simgcl"}, "Contrastive term: SimGCL here, none there."),
        ({"schedule": "cosine"}, "cosine here, constant there."),
    ],
)
def test_what_has_no_counterpart_is_said(change: dict[str, Choice], said: str) -> None:
    _, differences = read(PAPERS["LightGCN"] | change)
    assert any(said in text for text in differences)


def test_protocols_without_a_counterpart_are_said() -> None:
    config, differences = read(PAPERS["LightGCN"], split="k_fold", metric="f1")
    assert config["valid_metric"] == "NDCG@20"
    assert {text.partition(":")[0] for text in differences} >= {"The k_fold split", "The metric f1"}


def test_where_recbole_has_no_such_model_there_is_no_configuration() -> None:
    text = recbole_config(Architecture.of({"layers": 2, "operator.1": "gat"}), Protocol(), seed=0)
    assert "no model whose layers are GAT and LightGCN" in text
    assert yaml.safe_load(text) is None


def test_whatever_a_space_proposes_can_be_read() -> None:
    space, generator = preset_space("full"), np.random.default_rng(0)
    for _ in range(300):
        config = yaml.safe_load(recbole_config(space.sample(generator), Protocol(), seed=0))
        assert config is None or (isinstance(config["learning_rate"], float) and isinstance(config.get("reg_weight", 0.0), float))
