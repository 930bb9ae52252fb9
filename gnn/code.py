"""Which code made a result: told by content, since a copy of the source need not know its history."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path


def code_digest() -> str:
    """SHA-256 of the names and contents of this library's source files."""
    root, digest = Path(__file__).parent, hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def library_versions(names: Sequence[str] = ("numpy", "torch")) -> dict[str, str]:
    """The installed versions of what computes."""
    return {name: version(name) for name in names}
