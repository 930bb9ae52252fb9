"""From the texts of items or users to node features, through a pretrained language model; an optional part of the library.

Only ``SentenceEncoder`` needs what ``requirements-text.txt`` lists: vectors that were computed once can be kept under their
``content_key`` and are used without it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from safetensors.numpy import load, save

from gnn.errors import GnnError

Matrix = np.ndarray[Any, np.dtype[np.float32]]
_BLOCK_BYTES = 1 << 20


class TextModelMissing(GnnError):
    """The language model cannot be used here; the message says what to install or to download."""


class Encoder(Protocol):
    """Turns texts into vectors."""

    def encode(self, texts: Sequence[str]) -> Matrix:
        """One row for each text, float32 [n, d]."""
        ...


class SentenceEncoder:
    """A model of sentence-transformers, by its name on the hub or the folder that holds it."""

    def __init__(self, model: str, device: str = "cpu") -> None:
        """Load the model, whose weights must be safetensors: nothing of it may run code.

        Raises:
            TextModelMissing: sentence-transformers is not installed, or the model is not there.
        """
        try:
            from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - optional, and slow to load
        except ImportError as error:
            raise TextModelMissing(
                "Texts need sentence-transformers on every worker: pip install -r requirements-text.txt. Or name no language model."
            ) from error
        try:
            self._model = SentenceTransformer(model, device=device, trust_remote_code=False, model_kwargs={"use_safetensors": True})
        except (OSError, ValueError) as error:
            raise TextModelMissing(
                f"The language model {model!r} cannot be loaded ({error}). Give its name on the hub, or a folder that holds it."
            ) from error

    def encode(self, texts: Sequence[str]) -> Matrix:
        vectors = self._model.encode(list(texts), convert_to_numpy=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)


def model_identity(model: str) -> str:
    """What tells models apart: a folder's content, or the name on the hub. Needs neither the model nor the package to be there."""
    return _folder_digest(Path(model)) if Path(model).is_dir() else model


def content_key(model: str, texts: Sequence[str]) -> str:
    """A hash, 64 hexadecimal digits, of everything that the vectors of ``texts`` depend on."""
    digest = hashlib.sha256(model_identity(model).encode())
    for text in texts:
        encoded = text.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()


def text_features(texts: Sequence[str], encoder: Encoder) -> Matrix:
    """A vector for each text, float32 [n, d]; an empty text has zeros. Equal texts are encoded once.

    Raises:
        ValueError: all texts are empty.
    """
    places = {text: at for at, text in enumerate(dict.fromkeys(text for text in texts if text))}
    if not places:
        raise ValueError("All texts are empty, so there is nothing to encode.")
    vectors = encoder.encode(list(places))
    matrix = np.zeros((len(texts), vectors.shape[1]), dtype=np.float32)
    filled = [at for at, text in enumerate(texts) if text]
    matrix[filled] = vectors[[places[texts[at]] for at in filled]]
    return matrix


def pack_features(matrix: Matrix) -> bytes:
    """The features as a safetensors document."""
    return save({"vectors": np.ascontiguousarray(matrix)})


def unpack_features(document: bytes) -> Matrix:
    """What ``pack_features`` wrote."""
    return load(document)["vectors"]


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
