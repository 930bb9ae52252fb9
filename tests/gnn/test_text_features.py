"""Keys and joins with a small encoder of our own; the real model where it is installed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from gnn.text_features import Matrix, SentenceEncoder, TextModelMissing, content_key, pack_features, text_features, unpack_features
from tests.text_model import HAS_LIBRARY, HAS_MODEL, WITHOUT_MODEL, model_folder


class LetterCounts:
    """Counts three letters, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> Matrix:
        self.asked += texts
        return np.array([[text.count(letter) for letter in "abc"] for text in texts], dtype=np.float32)


def test_equal_texts_are_encoded_once_and_empty_ones_are_zero() -> None:
    encoder = LetterCounts()
    matrix = text_features(["aab", "", "c", "aab"], encoder)
    assert matrix.tolist() == [[2, 1, 0], [0, 0, 0], [0, 0, 1], [2, 1, 0]]
    assert matrix.dtype == np.float32 and encoder.asked == ["aab", "c"]


def test_other_texts_another_order_or_another_model_have_another_key(tmp_path: Path) -> None:
    asked = [
        ("letters", ["ab", "c"]),
        ("letters", ["a", "bc"]),
        ("letters", ["c", "ab"]),
        ("words", ["ab", "c"]),
        (str(tmp_path), ["ab", "c"]),
    ]
    keys = {content_key(model, texts) for model, texts in asked}
    assert len(keys) == len(asked)
    assert content_key("letters", ["ab", "c"]) in keys


def test_a_folder_is_known_by_its_content_and_not_by_its_name(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        (folder / "layer").mkdir(parents=True)
        (folder / "layer" / "weights").write_bytes(b"1")
    assert content_key(str(one), ["a"]) == content_key(str(other), ["a"])
    (other / "layer" / "weights").write_bytes(b"2")
    assert content_key(str(one), ["a"]) != content_key(str(other), ["a"])


def test_features_can_be_kept() -> None:
    matrix = text_features(["aab", "", "c"], LetterCounts())
    assert np.array_equal(unpack_features(pack_features(matrix[:, ::-1])), matrix[:, ::-1])


def test_nothing_to_encode_is_refused() -> None:
    with pytest.raises(ValueError, match="All texts are empty"):
        text_features(["", ""], LetterCounts())


@pytest.mark.skipif(HAS_LIBRARY, reason="sentence-transformers is installed")
def test_without_the_library_it_says_what_to_install() -> None:
    with pytest.raises(TextModelMissing, match="pip install -r requirements-text.txt"):
        SentenceEncoder("any")


@pytest.mark.skipif(not HAS_LIBRARY, reason="sentence-transformers is not installed")
def test_a_model_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(TextModelMissing, match="cannot be loaded"):
        SentenceEncoder(str(tmp_path))


@pytest.mark.skipif(not HAS_MODEL, reason=WITHOUT_MODEL)
def test_near_texts_have_near_vectors() -> None:
    vectors = text_features(["a film about space ships", "a movie on rockets", "how to bake bread"], SentenceEncoder(model_folder()))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.1
