"""Which decisions made the difference between the trials of a search."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator
from optuna.trial import create_trial

from gnn.space import Architecture, Choice, SearchSpace

logging.getLogger("optuna").setLevel(logging.WARNING)

MIN_TRIALS = 20
"""Trials needed, and trials in which a decision must be active before something is said of it."""
TOP_SHARE = 0.1
TOP_TRIALS = 5
"""PED-ANOVA looks at the best tenth of the trials, but at no fewer than this."""
TREES = 16

Method = Literal["fanova", "ped_anova"]
Finished = Sequence[tuple[Architecture, float]]
"""Architectures of one space with their rewards."""
Offered = Mapping[str, tuple[Choice, ...]]
Rewards = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Importance:
    shares: Mapping[str, float]
    """Share of each decision, largest first; together 1."""
    unjudged: tuple[str, ...]
    """Decisions that were active, or open, in too few trials; they have no share."""
    trials: int


@dataclass(frozen=True)
class TooFewTrials:
    trials: int
    needed: int


@dataclass(frozen=True)
class EqualRewards:
    """All trials were rewarded alike, or no decision tells them apart."""

    trials: int


def importance(space: SearchSpace, finished: Finished, method: Method, seed: int = 0) -> Importance | TooFewTrials | EqualRewards:
    """How much each decision matters.

    ``fanova`` (Hutter et al. 2014): the share of the variance of the rewards that a decision explains by itself, in
    a random forest. A decision that is not always active is judged among the trials where it is, together with what
    is active in all of these, and counts for as much of the whole variance as lies there.

    ``ped_anova`` (Watanabe et al. 2023, arXiv 2304.10255): how much a decision's choices in the best trials differ
    from those in all, weighted by how often it is active in either (arXiv 2601.20800). It takes far less time, and
    more trials to be sure.
    """
    if len(finished) < MIN_TRIALS:
        return TooFewTrials(len(finished), MIN_TRIALS)
    rewards = np.array([reward for _, reward in finished])
    if np.ptp(rewards) == 0:
        return EqualRewards(len(finished))
    offered = {decision.name: decision.choices for decision in space.decisions if len(decision.choices) > 1}
    tried: dict[str, set[object]] = defaultdict(set)
    active: dict[str, list[int]] = defaultdict(list)
    for number, (architecture, _) in enumerate(finished):
        for name, choice in architecture.choices:
            tried[name].add(choice)
            active[name].append(number)
    judged = {name: tuple(active[name]) for name in offered if len(active[name]) >= MIN_TRIALS and len(tried[name]) > 1}
    if not judged:
        return EqualRewards(len(finished))
    choices = {name: offered[name] for name in judged}
    raw = _fanova(finished, rewards, choices, judged, seed) if method == "fanova" else _ped_anova(finished, choices)
    total = sum(raw.values())
    if total <= 0:
        return EqualRewards(len(finished))
    shares = {name: value / total for name, value in sorted(raw.items(), key=lambda pair: -pair[1])}
    return Importance(shares, tuple(name for name in offered if name not in judged), len(finished))


def _fanova(finished: Finished, rewards: Rewards, offered: Offered, judged: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, float]:
    """Each decision's part of the variance of all rewards."""
    together: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for name, numbers in judged.items():
        together[numbers].append(name)
    found: dict[str, float] = {}
    for numbers, names in together.items():
        some = rewards[list(numbers)]
        if np.ptp(some) == 0:
            found |= dict.fromkeys(names, 0.0)
            continue
        # Whatever is active in all of these trials shares in explaining them.
        always = {name: offered[name] for name, others in judged.items() if set(numbers) <= set(others)}
        # A choice is its place in the list: one column, in which every choice takes the same room. Optuna's own
        # columns for categories, one for each, leave most of the room to mixtures that do not exist.
        places: dict[str, BaseDistribution] = {name: IntDistribution(0, len(choices) - 1) for name, choices in always.items()}
        trials = [finished[number] for number in numbers]
        params = [{name: choices.index(architecture[name]) for name, choices in always.items()} for architecture, _ in trials]
        evaluator = FanovaImportanceEvaluator(n_trees=TREES, seed=seed)
        explained = evaluator.evaluate(_study(params, [reward for _, reward in trials], places))
        part = some.var() * len(some) / (rewards.var() * len(rewards))
        found |= {name: float(explained[name] * part) for name in names}
    return found


def _ped_anova(finished: Finished, offered: Offered) -> dict[str, float]:
    evaluator = PedAnovaImportanceEvaluator(target_quantile=max(TOP_SHARE, TOP_TRIALS / len(finished)))
    categories: dict[str, BaseDistribution] = {name: CategoricalDistribution(choices) for name, choices in offered.items()}
    params = [{name: choice for name, choice in architecture.choices if name in offered} for architecture, _ in finished]
    return evaluator.evaluate(_study(params, [reward for _, reward in finished], categories))


def _study(params: Sequence[Mapping[str, Choice]], rewards: Sequence[float], distributions: Mapping[str, BaseDistribution]) -> optuna.Study:
    """Trials as Optuna reads them, each with the distributions of its own parameters."""
    study = optuna.create_study(direction="maximize")
    for chosen, reward in zip(params, rewards, strict=True):
        own = {name: distributions[name] for name in chosen}
        study.add_trial(create_trial(params=dict(chosen), distributions=own, value=float(reward)))
    return study
