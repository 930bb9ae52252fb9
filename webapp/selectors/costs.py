"""What training will take: the memory and time of architectures on a dataset, as finished trials of this installation tell it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from django.db.models import F, QuerySet

from gnn.catalogue.inputs import feature_sizes
from gnn.catalogue.rules import largest
from gnn.cost import Rates, epoch_work, fit_rates, mean_epochs
from gnn.memory import MIB, MOST_BUCKETS, estimate_bytes
from gnn.parameters import parameter_count
from gnn.plan import SearchPlan
from gnn.protocol import Protocol
from gnn.settings import Settings
from gnn.space import Architecture, SearchSpace
from webapp.enums import RunState
from webapp.models import Dataset, Trial
from webapp.queue import TRIALS_QUEUE
from webapp.selectors.dataset_attributes import dataset_described
from webapp.selectors.workers import workers_alive

NEWEST = 200
"""Finished trials that the rates are fitted to."""
DRAWN = 100
"""Random architectures that stand for a space."""


@dataclass(frozen=True)
class TrainingSize:
    """What the cost of a trial on a dataset depends on."""

    users: int
    items: int
    pairs: int
    """User-item pairs of the whole dataset, which limits on memory are checked against."""
    trained: int
    """Of these, what the protocol leaves to train on."""
    user_width: int = 0
    item_width: int = 0

    def memory(self, architecture: Architecture) -> float:
        """MiB that training takes, as estimated."""
        settings, widths = Settings.of(architecture), {"user_width": self.user_width, "item_width": self.item_width}
        return estimate_bytes(settings, self.users, self.items, self.pairs, n_buckets=MOST_BUCKETS, **widths) / MIB

    def parameters(self, architecture: Architecture) -> int:
        widths = {"user_width": self.user_width, "item_width": self.item_width}
        return parameter_count(Settings.of(architecture), self.users, self.items, MOST_BUCKETS, **widths)

    def epoch_seconds(self, architecture: Architecture, rates: Rates) -> float:
        return rates.epoch_seconds(epoch_work(Settings.of(architecture), self.users, self.items, self.trained))


@dataclass(frozen=True)
class LargestCosts:
    """What the architectures of a space can come to."""

    memory: float
    """MiB, of the architecture that needs most."""
    memory_of: Architecture
    parameters: int
    """Of the same."""
    epoch_seconds: float
    """Of the slowest architecture."""
    slowest: Architecture
    typical_seconds: float
    """The median of random architectures; of an epoch."""
    rates: Rates


@dataclass(frozen=True)
class Forecast:
    """What a search will take, if nothing but its rungs, budgets and epochs ends a trial."""

    rates: Rates
    epoch_seconds: tuple[float, float]
    """The median of random architectures, and what nine of ten stay below."""
    memory: tuple[float, float]
    """MiB: the median, and the most that any architecture needs."""
    trial_seconds: float
    """Of an average trial."""
    longest_seconds: float
    """Of a trial of all epochs that one of ten exceeds."""
    trials: int
    """In all arms; no more than the space has architectures for."""
    parallel: int
    """Trials at once: no more than there are workers, where there are any."""
    total_seconds: float
    """Of the trials and the finalists; baselines come on top."""
    limited_by_time: bool
    """Whether a budget of time ends the search before its trials are spent."""


def training_size(dataset: Dataset, protocol: Protocol | None = None, plan: SearchPlan | None = None) -> TrainingSize | None:
    """Of a READY dataset; None before a worker has counted it."""
    counts = [dataset.profile.get(name) for name in ("users", "items", "pairs")]
    if not all(counts):
        return None
    users, items, pairs = map(int, counts)
    widths = feature_sizes(dataset_described(dataset), plan or SearchPlan())
    trained = trained_pairs(protocol or Protocol(), users, pairs)
    return TrainingSize(users, items, pairs, trained, widths.get("user_width", 0), widths.get("item_width", 0))


def trained_pairs(protocol: Protocol, users: int, pairs: int) -> int:
    """About how many pairs a protocol leaves to train on."""
    if protocol.split == "leave_one_out":
        return max(users, pairs - 2 * users)
    if protocol.split == "k_fold":
        return pairs * (protocol.folds - 2) // protocol.folds
    return max(1, round(pairs * (1 - protocol.valid_fraction - protocol.test_fraction)))


def worker_rates() -> Rates:
    """Those of the workers that are alive, by the newest trials they finished; of any workers, where these finished too few."""
    alive = list(workers_alive(queue=TRIALS_QUEUE).values_list("name", flat=True)[:100])
    trials = Trial.objects.filter(state=RunState.COMPLETED, same_as=None, epochs__gt=0, train_seconds__gt=0)
    rates = _fitted(trials.filter(worker__in=alive))
    return rates if rates.trials else _fitted(trials)


def _fitted(trials: QuerySet[Trial]) -> Rates:
    counted = {name: F(f"search__dataset__profile__{name}") for name in ("users", "items", "pairs")}
    names = ("architecture", "epochs", "train_seconds", "search__protocol", "search__plan")
    works, seconds = [], []
    for row in trials.order_by("-pk").values(*names, **counted)[:NEWEST]:
        plan, protocol = SearchPlan.from_json(row["search__plan"]), Protocol.from_json(row["search__protocol"])
        if plan.grows_data or not (row["users"] and row["items"] and row["pairs"]):
            continue  # its epochs were of several sizes, or of nobody knows which
        settings = Settings.of(Architecture.of(row["architecture"]))
        edges = trained_pairs(protocol, row["users"], row["pairs"])
        works.append(epoch_work(settings, row["users"], row["items"], edges))
        seconds.append(row["train_seconds"] / row["epochs"])
    return fit_rates(works, seconds)


def largest_costs(space: SearchSpace, size: TrainingSize, rates: Rates) -> LargestCosts:
    """The most memory and the longest epoch that the space allows on a dataset."""
    memory_of, memory = largest(space, size.memory)
    slowest, seconds = largest(space, lambda found: size.epoch_seconds(found, rates))
    typical = float(np.median([size.epoch_seconds(found, rates) for found in _drawn(space)]))
    return LargestCosts(memory, memory_of, size.parameters(memory_of), seconds, slowest, typical, rates)


def forecast(
    space: SearchSpace,
    size: TrainingSize,
    rates: Rates,
    *,
    protocol: Protocol,
    plan: SearchPlan,
    planned_trials: int,
    workers: int,
) -> Forecast:
    """What a search would take."""
    drawn = _drawn(space)
    epochs = [size.epoch_seconds(found, rates) for found in drawn]
    slots = sum(workers_alive(queue=TRIALS_QUEUE).values_list("slots", flat=True)[:1000])
    parallel = min(workers, slots) if slots else workers
    folds = protocol.folds - 1 if plan.reward == "k_fold" else 1
    trials = min(planned_trials, space.size) * (1 + plan.random_arm)
    trial = float(np.mean(epochs)) * mean_epochs(plan.rungs, protocol.max_epochs) * folds
    if plan.budget.epochs is not None:
        trials_of_budget = plan.budget.epochs / max(1.0, mean_epochs(plan.rungs, protocol.max_epochs) * folds)
        trials = min(trials, max(1, round(trials_of_budget)) * (1 + plan.random_arm))
    searching = trial * trials / min(parallel, trials)
    limits = [plan.budget.seconds, None if plan.budget.worker_seconds is None else plan.budget.worker_seconds / parallel]
    limit = min((seconds for seconds in limits if seconds is not None), default=None)
    finalists = min(protocol.finalists, trials) * protocol.finalist_seeds
    finishing = float(np.median(epochs)) * protocol.max_epochs * finalists / min(parallel, finalists)
    longest = float(np.quantile(epochs, 0.9))
    return Forecast(
        rates=rates,
        epoch_seconds=(float(np.median(epochs)), longest),
        memory=(float(np.median([size.memory(found) for found in drawn])), largest(space, size.memory)[1]),
        trial_seconds=trial,
        longest_seconds=longest * protocol.max_epochs * folds,
        trials=trials,
        parallel=parallel,
        total_seconds=min(searching, limit if limit is not None else searching) + finishing,
        limited_by_time=limit is not None and limit < searching,
    )


def _drawn(space: SearchSpace) -> list[Architecture]:
    generator = np.random.default_rng(0)
    return [space.sample(generator) for _ in range(DRAWN)]
