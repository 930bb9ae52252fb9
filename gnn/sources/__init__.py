"""Readers of interaction files and side tables: look at a file, confirm a mapping, read it with every row accounted for."""

from __future__ import annotations

from gnn.sources.compression import Limits
from gnn.sources.detection import Detected
from gnn.sources.mapping import Mapping
from gnn.sources.reading import detect, read
from gnn.sources.rejects import Rejects

__all__ = ["Detected", "Limits", "Mapping", "Rejects", "detect", "read"]
