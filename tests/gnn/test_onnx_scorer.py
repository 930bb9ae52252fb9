"""The ONNX graph of a scorer, run by another engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import polars as pl
import pytest

from gnn import bundle
from gnn.bundle import onnx_scorer
from gnn.bundle.document import ModelDocument
from gnn.errors import BundleError
from tests.gnn.test_bundle import document_of


@pytest.fixture
def opened(tmp_path: Path) -> bundle.Bundle:
    generator = np.random.default_rng(0)
    bundle.save(
        bundle.TrainedModel(
            users=generator.normal(size=(5, 8)),
            items=generator.normal(size=(70, 8)),
            seen_indptr=np.arange(6),
            seen_items=np.arange(5),
            user_ids=pl.Series([f"u{code}" for code in range(5)]),
            item_ids=pl.Series([f"i{code}" for code in range(70)]),
            document=ModelDocument.from_json(document_of(users=5, items=70, dim=8, item_bias=False)),
        ),
        tmp_path,
    )
    return bundle.load(tmp_path)


def test_an_engine_scores_as_the_bundle_does(opened: bundle.Bundle, tmp_path: Path) -> None:
    onnx_scorer.write_onnx(opened, tmp_path / "scorer.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "scorer.onnx", providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map == {"bundle": opened.digest, "name": "films"}
    for codes in ([0], [4, 1, 1]):
        (scores,) = session.run(["scores"], {"user": np.array(codes, dtype=np.int64)})
        expected = np.stack([opened.model.scores(f"u{code}") for code in codes])
        np.testing.assert_allclose(scores, expected, atol=1e-5)
        best = [f"i{code}" for code in np.argsort(-scores[0], kind="stable")[:10]]
        assert best == [item for item, _ in opened.model.recommend(f"u{codes[0]}", 10, exclude_seen=False)]


def test_embeddings_that_fit_no_file_are_refused(opened: bundle.Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_scorer, "MAX_BYTES", 1000)
    with pytest.raises(BundleError, match="2,400 bytes, but an ONNX file holds at most 1,000"):
        onnx_scorer.write_onnx(opened, tmp_path / "scorer.onnx")
    assert not (tmp_path / "scorer.onnx").exists()
