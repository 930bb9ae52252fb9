"""References that are not searched: a search has found something only if it beats them."""

from __future__ import annotations

from collections.abc import Callable

from gnn.baselines.factors import ials, lightgcn, mf_bpr
from gnn.baselines.linear import ease, gfcf
from gnn.baselines.neighbours import item_knn, popularity, rp3beta, user_knn
from gnn.baselines.regressions import slim
from gnn.errors import DataError
from gnn.evaluate import Scorer, Targets
from gnn.graph import Graph

_FROM_TRAINING: dict[str, Callable[[Graph], Scorer]] = {
    "popularity": popularity,
    "itemknn": item_knn,
    "userknn": user_knn,
    "rp3beta": rp3beta,
    "gfcf": gfcf,
    "ease": ease,
    "mf_bpr": mf_bpr,
}
_VALIDATED: dict[str, Callable[[Graph, Targets], Scorer]] = {"ials": ials, "slim": slim, "lightgcn": lightgcn}
"""Validation tells these which of a few settings to take, or when to stop."""

BASELINES = (*_FROM_TRAINING, *_VALIDATED)


def fit_baseline(name: str, graph: Graph, valid: Targets) -> Scorer:
    """Fit the baseline called ``name`` on the training interactions.

    Raises:
        DataError: there is no baseline of that name.
        OutOfMemory: the catalogue is too large for it.
    """
    if name in _VALIDATED:
        return _VALIDATED[name](graph, valid)
    if name not in _FROM_TRAINING:
        raise DataError(f"There is no baseline '{name}'; choose from {', '.join(BASELINES)}.")
    return _FROM_TRAINING[name](graph)
