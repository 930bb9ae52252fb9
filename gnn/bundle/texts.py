"""An architecture as text for other libraries: the files of a bundle that are made of it."""

from __future__ import annotations

from gnn.bundle.document import ModelDocument
from gnn.bundle.pyg import pyg_module
from gnn.bundle.recbole import recbole_config
from gnn.protocol import Protocol
from gnn.space import Architecture

TEXT_FILES = {"pyg": "architecture.py", "recbole": "recbole.yaml"}
"""Kind of text -> its name in a bundle."""


def architecture_texts(document: ModelDocument) -> dict[str, str]:
    """The text of each kind in ``TEXT_FILES``."""
    architecture = Architecture.of(document.architecture)
    return {
        "pyg": pyg_module(architecture),
        "recbole": recbole_config(architecture, Protocol.from_json(document.protocol), seed=document.training.seed),
    }
