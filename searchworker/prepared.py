"""Splits and graphs, built once per dataset and protocol and shared by all trials of a worker."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gnn.attributes import Matrix
from gnn.evaluate import Targets, build_targets
from gnn.graph import Graph, build_graph
from gnn.interactions import Interactions
from gnn.predictions import NOTHING, Observed, observed
from gnn.protocol import Protocol
from gnn.splits import split

KEPT = 2
"""How many prepared datasets a worker holds; each costs some hundred bytes per interaction."""


@dataclass(frozen=True, eq=False)
class NodeFeatures:
    """What is known of users and items besides their interactions, in the order of the ids; None where nothing is."""

    user: Matrix | None = None
    """[n_users, f]"""
    item: Matrix | None = None
    """[n_items, g]"""


NO_FEATURES = NodeFeatures()


@dataclass(frozen=True, eq=False)
class TrainingData:
    """All that a trial may see."""

    graph: Graph
    valid: Targets


@dataclass(frozen=True, eq=False)
class PreparedData:
    training: TrainingData
    test: Targets
    valid_rows: Observed = NOTHING
    """The validation interactions as they were observed; what predictions are fitted on."""
    test_rows: Observed = NOTHING
    """Those of the test."""


def prepare(interactions: Interactions, protocol: Protocol, share: float = 1.0, features: NodeFeatures = NO_FEATURES) -> PreparedData:
    """Split the interactions and build the graph of the training part, or of a random ``share`` of it.

    Raises:
        DataError: a part would be empty, or the features do not fit the users or items.
    """
    parts = split(interactions, protocol)
    train = parts.train
    if share < 1:
        kept = np.random.default_rng(protocol.split_seed).random(len(train)) < share
        train = train[kept] if kept.any() else train[:1]
    graph = build_graph(interactions, train, features.user, features.item)
    valid = build_targets(interactions, parts.valid, graph)
    test = build_targets(interactions, parts.test, graph, also_seen=valid)
    return PreparedData(TrainingData(graph, valid), test, observed(interactions, parts.valid), observed(interactions, parts.test))


class PreparedCache:
    """The most recently used prepared datasets of this process."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._entries: OrderedDict[tuple[object, ...], PreparedData] = OrderedDict()

    def get(
        self,
        data: str,
        protocol: Protocol,
        load: Callable[[], Interactions],
        share: float = 1.0,
        *,
        features: str = "",
        describe: Callable[[Interactions], NodeFeatures] = lambda _: NO_FEATURES,
    ) -> PreparedData:
        """The prepared form of the dataset whose content hash is ``data``.

        ``load`` is called on a miss, and then ``describe``, whose features have the content hash ``features``.
        """
        shares = (protocol.valid_fraction, protocol.test_fraction, protocol.folds, protocol.fold, protocol.valid_fold)
        key = (data, features, protocol.split, *shares, protocol.split_seed, share)
        if key not in self._entries:
            interactions = load()
            self._entries[key] = prepare(interactions, protocol, share, describe(interactions))
        self._entries.move_to_end(key)
        while len(self._entries) > self._kept:
            self._entries.popitem(last=False)
        return self._entries[key]
