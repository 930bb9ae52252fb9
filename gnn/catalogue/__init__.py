"""What can be searched: every decision the engine understands, its choices, and the presets.

The forms, the engine and the help text read this one table. A space may use any subset; what it leaves
out takes the default given there.
"""

from __future__ import annotations

from gnn.catalogue.choices import LABELS, OPERATORS
from gnn.catalogue.entries import CATALOGUE, CatalogueEntry
from gnn.catalogue.spaces import PRESETS, build_space, check_heads, check_trainable, preset_space, standard_architecture
from gnn.catalogue.words import describe

__all__ = [
    "CATALOGUE",
    "LABELS",
    "OPERATORS",
    "PRESETS",
    "CatalogueEntry",
    "build_space",
    "check_heads",
    "check_trainable",
    "describe",
    "preset_space",
    "standard_architecture",
]
