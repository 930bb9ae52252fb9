"""From the texts of items or users to node features, through a pretrained language model; an optional part of the library.

Only this needs what ``requirements-text.txt`` lists. What was computed once is kept in files named after the content that went in.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from gnn.errors import GnnError

Matrix = np.ndarray[Any, np.dtype[np.float32]]
_BLOCK_BYTES = 1 << 20


class TextModelMissing(GnnError):
    """The language model cannot be used here; the message says what to install or to download."""


class Encoder(Protocol):
    """Turns texts into vectors."""

    identity: str
    """Equal for encoders that give equal vectors; part of what the cache goes by."""

    def encode(self, texts: Sequence[str]) -> Matrix:
        """One row for each text, float32 [n, d]."""
        ...


class SentenceEncoder:
    """A model of sentence-transformers, by its name on the hub or the folder that holds it."""

    def __init__(self, model: str) -> None:
        """Load the model.

        Raises:
            TextModelMissing: sentence-transformers is not installed, or the model is not there.
        """
        try:
            from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - optional, and slow to load
        except ImportError as error:
            raise TextModelMissing("Text features need sentence-transformers: pip install -r requirements-text.txt.") from error
        try:
            self._model = SentenceTransformer(model, device="cpu", trust_remote_code=False)
        except (OSError, ValueError) as error:
            raise TextModelMissing(
                f"The language model {model!r} cannot be loaded ({error}). Give its name on the hub, or a folder that holds it."
            ) from error
        self.identity = _folder_digest(Path(model)) if Path(model).is_dir() else model

    def encode(self, texts: Sequence[str]) -> Matrix:
        vectors = self._model.encode(list(texts), convert_to_numpy=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)


def text_features(texts: Sequence[str], encoder: Encoder, cache: Path) -> Matrix:
    """A vector for each text, float32 [n, d]; an empty text has zeros. Equal texts are encoded once.

    ``cache`` is a folder; the result is kept there under a hash of the encoder and the texts.

    Raises:
        ValueError: all texts are empty.
    """
    places = {text: at for at, text in enumerate(dict.fromkeys(text for text in texts if text))}
    if not places:
        raise ValueError("All texts are empty, so there is nothing to encode.")
    vectors = _cached(list(places), encoder, cache)
    matrix = np.zeros((len(texts), vectors.shape[1]), dtype=np.float32)
    filled = [at for at, text in enumerate(texts) if text]
    matrix[filled] = vectors[[places[texts[at]] for at in filled]]
    return matrix


def _cached(texts: list[str], encoder: Encoder, cache: Path) -> Matrix:
    file = cache / f"{_digest(encoder.identity, texts)}.safetensors"
    try:
        return load_file(file)["vectors"]
    except (FileNotFoundError, SafetensorError, KeyError):
        pass  # never computed, or damaged: compute it
    vectors = np.ascontiguousarray(encoder.encode(texts), dtype=np.float32)
    cache.mkdir(parents=True, exist_ok=True)
    # Written aside and renamed, so that another process never reads half a file.
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        save_file({"vectors": vectors}, Path(folder) / file.name)
        os.replace(Path(folder) / file.name, file)
    return vectors


def _digest(identity: str, texts: list[str]) -> str:
    digest = hashlib.sha256(identity.encode())
    for text in texts:
        encoded = text.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()


def _folder_digest(folder: Path) -> str:
    """A hash of the names and contents of all files of a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\0".encode())
        for block in _blocks(path):
            digest.update(block)
    return digest.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block
