"""The scorer of a bundle as an ONNX graph, for runtimes that take nothing else.

Every architecture ends in embeddings whose dot product is the score, so that the graph is a gather and a product whatever the
operators were: their message passing over the training graph is done, and is in the embeddings. The graph knows no more than they
do: it leaves no seen item out, and embeds nobody new.

Needs the package onnx, which Recsmith itself does without.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from gnn.bundle import Bundle
from gnn.errors import BundleError

OPSET, IR_VERSION = 17, 8
"""Of 2022: what is newer would be refused by older runtimes, and the graph needs nothing of it."""
MAX_BYTES = 2**31 - 2**20
"""A Protocol Buffers message holds at most 2 GiB."""


def write_onnx(bundle: Bundle, path: Path) -> None:
    """Write a graph from ``user``, int64 [batch], codes of users as in ``users.parquet``, to ``scores``, float32 [batch, n_items].

    Raises:
        BundleError: the embeddings do not fit one ONNX file.
    """
    model = bundle.model
    size = model.users.nbytes + model.items.nbytes
    if size > MAX_BYTES:
        raise BundleError(f"The embeddings have {size:,} bytes, but an ONNX file holds at most {MAX_BYTES:,}. Use the bundle as it is.")
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["users", "user"], ["embeddings"], axis=0),
            helper.make_node("MatMul", ["embeddings", "items"], ["scores"]),
        ],
        "scorer",
        [helper.make_tensor_value_info("user", TensorProto.INT64, ["batch"])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", len(model.items)])],
        [
            numpy_helper.from_array(np.ascontiguousarray(model.users), "users"),
            numpy_helper.from_array(np.ascontiguousarray(model.items.T), "items"),
        ],
    )
    found = helper.make_model(graph, producer_name="recsmith", ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)])
    helper.set_model_props(found, {"bundle": bundle.digest, "name": bundle.document.name})
    onnx.checker.check_model(found, full_check=True)
    onnx.save_model(found, path)
