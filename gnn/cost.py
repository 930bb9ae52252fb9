"""How long an epoch of training takes, estimated without building the network.

The seconds of an epoch are a sum of kinds of work, each counted from the architecture and the sizes of its graph, times a rate
that is the worker's. Before it has trained anything the rates are those of one core, measured by ``benchmarks.trial_cost``;
finished trials correct them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnn.catalogue.choices import ATTENTION_OPERATORS, PAIR_LOSSES, PROPAGATING_OPERATORS
from gnn.memory import (
    CANDIDATES,
    CONTRASTED,
    HARD_POOL,
    ITEMS_PER_STEP,
    KEPT,
    MIN_STEPS,
    PAIRS_PER_STEP,
    SQUARE_PAIRS,
    USERS_PER_STEP,
    step_size,
    views,
)
from gnn.parameters import OPERATOR_PARAMETERS, parameter_count
from gnn.plan import Rungs
from gnn.settings import Settings

KINDS = ("overhead", "propagation", "attention", "adjacencies", "weights", "nodes", "optimiser", "objective", "contrast")
"""Kinds of work of an epoch: calls, multiply-adds along edges, values per edge and head, entries of graphs drawn anew,
multiply-adds of dense layers, values per node, updates of weights, multiply-adds of the scores of the objective
and the validation, and of the contrastive term."""

Work = NDArray[np.float64]
"""[kinds], in 1e9 operations."""


def epoch_work(settings: Settings, n_users: int, n_items: int, n_edges: int) -> Work:
    """Count the work of one epoch, its validation included.

    Args:
        n_edges: user-item pairs of the training graph; each is two entries of its adjacency.
    """
    d, n_nodes, n_entries = settings.node_dim, n_users + n_items, 2 * n_edges
    steps, scores = _objective(settings, n_users, n_items, n_edges)
    # Forwards, backwards at twice the price, and once more to validate.
    passes = 3.0 * steps * (1 + views(settings)) + 1
    spread = sum(layer.operator in PROPAGATING_OPERATORS for layer in settings.layers)
    gated = 1 if settings.edge_dim else 0
    attended = sum(layer.heads + 1 for layer in settings.layers if layer.operator in ATTENTION_OPERATORS)
    dense = sum(OPERATOR_PARAMETERS[layer.operator](d) for layer in settings.layers)
    arrays = 2 + sum(
        1 + KEPT[layer.operator] + 2 * (layer.normalisation != "none") + (layer.activation != "identity") for layer in settings.layers
    )
    width = d * (len(settings.layers) + 1 if settings.combination == "concat" else 1)
    learned = parameter_count(settings, n_users, n_items, 1) * (1.0 + 0.5 * (settings.averaging > 0))
    counts = (
        passes * (1 + len(settings.layers)) * 1e3,
        passes * spread * n_entries * d * (1 + gated),
        passes * attended * n_entries,
        steps * ((settings.edge_dropout > 0) + 2 * (settings.contrastive == "sgl")) * n_entries,
        passes * n_nodes * dense,
        passes * n_nodes * (arrays * d + width),
        steps * learned,
        (scores + n_users * n_items) * (width + 8),
        3.0 * steps * _contrasted(settings, n_users, n_items) * (width + 8),
    )
    return np.array(counts, dtype=np.float64) / 1e9


def _contrasted(settings: Settings, n_users: int, n_items: int) -> int:
    """Pairs of nodes that a step of the contrastive term compares."""
    if settings.contrastive == "none":
        return 0
    return min(n_users, CONTRASTED) ** 2 + min(n_items, CONTRASTED) ** 2


def _objective(settings: Settings, n_users: int, n_items: int, n_edges: int) -> tuple[float, float]:
    """Steps of an epoch, and scores it computes in all."""
    if settings.loss == "softmax":
        size = step_size(n_users, USERS_PER_STEP, MIN_STEPS)
        columns = n_items
        if settings.sampled_items:
            columns = min(n_items, settings.sampled_items + size * n_edges // n_users)
        return n_users / size, 3.0 * n_users * columns
    size = step_size(n_edges, PAIRS_PER_STEP, 2 * MIN_STEPS)
    if settings.loss in PAIR_LOSSES:
        looked_at = settings.negative_count * (HARD_POOL if settings.negatives == "hard" else 1)
        size = min(size, max(1, ITEMS_PER_STEP // looked_at))
        return n_edges / size, 3.0 * n_edges * (1 + looked_at)
    size = min(size, SQUARE_PAIRS)
    others = size if settings.loss == "directau" or settings.candidates == "in_batch" else CANDIDATES
    return n_edges / size, 3.0 * n_edges * others


@dataclass(frozen=True)
class Rates:
    """Seconds per unit of each kind of work, and how far they can be trusted."""

    seconds: tuple[float, ...]
    """Of each of KINDS."""
    spread: float
    """Factor within which two of three epochs are of what is predicted."""
    trials: int = 0
    """Finished trials that they were fitted to; 0 for the measured ones."""

    def epoch_seconds(self, work: Work) -> float:
        return float(work @ np.array(self.seconds))


MEASURED = Rates(seconds=(294.0, 0.0309, 5.82, 162.0, 0.0361, 0.562, 3.38, 0.0663, 0.0808), spread=2.0)
"""Of one core of an AMD EPYC server, by ``python -m benchmarks.trial_cost``."""


def mean_epochs(rungs: Rungs | None, max_epochs: int) -> float:
    """Epochs of an average trial that stops for nothing but its rung, those on a share of the data counted as that share."""
    if rungs is None:
        return float(max_epochs)
    ends = rungs.epochs(max_epochs)
    before = (0, *ends) if rungs.by == "epochs" else (0,) * (len(ends) + 1)
    work = ((ends[rung] - before[rung]) * rungs.share(rung) for rung in range(len(ends)))
    return float(sum(epochs / rungs.factor**rung for rung, epochs in enumerate(work)))


MIN_TRIALS = 3
"""Below this many, finished trials say too little of a worker."""
HELD = 0.1
"""How firmly rates keep to the prior's proportions, in squared relative errors of one trial."""
LEAST_SPREAD = 1.15


def fit_rates(works: Sequence[Work], seconds: Sequence[float], *, prior: Rates | None = MEASURED) -> Rates:
    """Rates by ridge regression of relative errors, drawn towards the prior at the speed that the trials show.

    The prior, without which nothing is drawn towards, settles what few trials cannot tell apart; many overrule it.

    Args:
        seconds: of an epoch of each.
    """
    if prior is not None and len(works) < MIN_TRIALS:
        return prior
    observed = np.array(seconds)
    rows = np.stack(list(works)) / observed[:, None]
    if prior is None:
        return _rates(rows, _non_negative(rows, np.zeros(rows.shape[1]), np.zeros(rows.shape[1])))
    start = np.array(prior.seconds)
    start = start / np.median(rows @ start)
    # In units of the prior, so that a rate is held as firmly as others of another size.
    return _rates(rows, start * _non_negative(rows * start, np.full(len(start), HELD), np.ones(len(start))))


def _non_negative(rows: Work, held: Work, target: Work) -> Work:
    """Minimise ``|rows x - 1|² + Σ held (x - target)²`` over ``x >= 0``, one coordinate at a time."""
    gram, right = rows.T @ rows + np.diag(held), rows.sum(0) + held * target
    x = np.maximum(target, 0.0)
    for _ in range(2000):
        before = x.copy()
        for i in np.flatnonzero(gram.diagonal()):
            x[i] = max(0.0, x[i] + (right[i] - gram[i] @ x) / gram[i, i])
        if np.abs(x - before).max() <= 1e-9 * max(1.0, np.abs(x).max()):
            break
    return x


def _rates(rows: Work, rates: Work) -> Rates:
    errors = np.abs(np.log(np.maximum(rows @ rates, 1e-3)))
    return Rates(tuple(map(float, rates)), max(LEAST_SPREAD, float(np.exp(np.quantile(errors, 2 / 3)))), len(rows))
