"""What earlier searches on similar datasets teach a new one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gnn.catalogue.canonical import canonical
from gnn.meta_features import MetaFeatures
from gnn.space import Architecture

SCALES = MetaFeatures(log_users=1.0, log_items=1.0, log_density=0.7, user_gini=0.15, item_gini=0.15, clustering=0.15)
"""Differences that count as one: ten times the users, five times the density, 0.15 on the scales from 0 to 1.

Fixed, because a handful of earlier datasets is too few to estimate a deviation from.
"""
BEST = 10
"""Architectures that an earlier search gives."""
LEAST_WEIGHT = 0.05
"""Examples that would weigh less are left out."""


@dataclass(frozen=True)
class EarlierSearch:
    features: MetaFeatures
    finished: Sequence[tuple[Architecture, float]]
    """Its architectures with their rewards, which are comparable within this search alone."""


def similar(target: MetaFeatures, candidates: Sequence[MetaFeatures]) -> list[float]:
    """How much each candidate resembles the target, in (0, 1]; 1 for the same dataset.

    exp(-d^2 / 2), with d^2 the sum over the features of ((candidate - target) / scale)^2. One dataset of ten times
    the users, all else equal, has 0.61; one that is a scale away in all six has 0.05.
    """
    scales, wanted = SCALES.to_json(), target.to_json()
    weights = []
    for candidate in candidates:
        found = candidate.to_json()
        squared = sum(((found[name] - wanted[name]) / scale) ** 2 for name, scale in scales.items())
        weights.append(math.exp(-squared / 2))
    return weights


def examples(target: MetaFeatures, searches: Sequence[EarlierSearch]) -> list[tuple[Architecture, float]]:
    """Good architectures to begin from, each network once, heaviest first, with weights in (0, 1].

    From each search come its best ten, or the better half of fewer than twenty. Each weighs as much as the search's dataset
    resembles the target, times (1 - place / number) for its place from 0 in the search's ranking. A network that
    several searches found keeps its largest weight.
    """
    found: dict[str, tuple[Architecture, float]] = {}
    for search, resemblance in zip(searches, similar(target, [search.features for search in searches]), strict=True):
        ranked = sorted(search.finished, key=lambda pair: -pair[1])
        number = min(BEST, math.ceil(len(ranked) / 2))
        for place, (architecture, _) in enumerate(ranked[:number]):
            weight = resemblance * (1 - place / number)
            key = canonical(architecture).key
            if weight >= LEAST_WEIGHT and (key not in found or weight > found[key][1]):
                found[key] = architecture, weight
    return sorted(found.values(), key=lambda pair: -pair[1])
