"""Seeds of the parts of a search, each independent of the others."""

from __future__ import annotations

import numpy as np


def derived_seed(seed: int, *path: int) -> int:
    """An independent seed for one part of a search, e.g. ``derived_seed(search.seed, int(architecture_key, 16))``."""
    return int(np.random.SeedSequence([seed, *path]).generate_state(1)[0])
