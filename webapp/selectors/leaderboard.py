"""Models ranked by a metric: those of one search, or of all searches of a dataset that judge alike."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from django.core.paginator import Page, Paginator
from django.db.models import Count, FloatField, Max, Q, QuerySet
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from gnn.catalogue import describe
from gnn.measures import direction
from gnn.protocol import LIST_METRIC_NAMES, METRIC_NAMES, Protocol
from gnn.space import Architecture
from webapp.enums import ArmName, RunState, SearchState
from webapp.models import Baseline, Dataset, FinalistRun, Search, Trial
from webapp.selectors.comparable import Judged, judged
from webapp.selectors.rounds import plan_of
from webapp.selectors.searches import BASELINE_LABELS, objective_of

PAGE_LENGTH = 50
MOST_ROWS = 10_000
"""Of a download."""
MOST_SEARCHES = 200
"""The newest of a dataset that are ranked together."""
Z = 1.959964
"""Standard errors from the mean to the limits of a 95 % interval, by the normal distribution."""


@dataclass(frozen=True)
class Measured:
    """A mean over users, with the standard error over users where one was kept."""

    value: float
    error: float | None = None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The limits within which the mean lies with 95 % confidence, by the normal distribution."""
        return None if self.error is None else (self.value - Z * self.error, self.value + Z * self.error)


LEVEL = 0.05
"""Of the corrected p value below which a difference counts, as in the verdict of a search."""


@dataclass(frozen=True)
class Ahead:
    """How far a finalist is ahead of the best baseline on the same test users."""

    other: str
    difference: float
    low: float
    high: float
    p: float

    @property
    def verdict(self) -> Literal["ahead", "behind", "open"]:
        if self.p >= LEVEL:
            return "open"
        return "ahead" if self.low > 0 else "behind" if self.high < 0 else "open"


@dataclass(frozen=True)
class BoardRow:
    """One model of a leaderboard; ``test`` and ``ahead`` are None while nothing may be shown."""

    rank: int
    kind: Literal["trial", "baseline"]
    name: str
    search_id: int
    valid: Measured
    trial_id: int | None = None
    number: int | None = None
    arm: str = ""
    test: Measured | None = None
    test_sd: float | None = None
    """Standard deviation over seeds; None for a single one."""
    seeds: int = 0
    """That were tested."""
    finalist: bool = False
    parameters: int | None = None
    seconds: float | None = None
    latency_ms: float | None = None
    beyond: float | None = None
    """Its validation score less that of the best baseline."""
    ahead: Ahead | None = None

    @property
    def by_chance(self) -> bool:
        return self.arm == ArmName.RANDOM


@dataclass(frozen=True)
class Board:
    """A page of trials and all baselines, ranked together by ``metric`` on validation."""

    metric: str
    page: Page[Any]
    rows: Sequence[BoardRow]
    baselines: Sequence[BoardRow]
    """Best first."""
    tested: bool
    """Whether a search has shown its test scores."""

    @property
    def best_baseline(self) -> BoardRow | None:
        return self.baselines[0] if self.baselines else None

    @cached_property
    def best_is_baseline(self) -> bool:
        return bool(self.baselines) and self.baselines[0].rank == 1

    @property
    def timed(self) -> bool:
        """Whether any trial was timed for how fast it ranks."""
        return any(row.latency_ms is not None for row in self.rows)


@dataclass(frozen=True)
class Group:
    """Searches of one dataset that judge alike, newest first."""

    judged: Judged
    searches: Sequence[Search]


def groups_of(dataset: Dataset) -> list[Group]:
    """The newest searches of a dataset by how they judge; the group of the newest search first."""
    found: dict[Judged, list[Search]] = {}
    for search in Search.objects.filter(dataset=dataset).defer("space", "importance").order_by("-id")[:MOST_SEARCHES]:
        found.setdefault(judged(search), []).append(search)
    return [Group(how, searches) for how, searches in found.items()]


def metrics_of(searches: Sequence[Search]) -> tuple[list[str], list[int]]:
    """Metric names, and the list lengths at which every one of the searches reports them."""
    lengths = [set(Protocol.from_json(search.protocol).cutoffs) for search in searches]
    return [*METRIC_NAMES, *LIST_METRIC_NAMES], sorted(set.intersection(*lengths)) if lengths else []


def metric_chosen(searches: Sequence[Search], name: str, k: str) -> str:
    """The metric that an address asks for; what it leaves open or gets wrong is as the newest search maximises it."""
    if not searches:
        return Protocol().objective
    own_name, _, own_k = objective_of(searches[0]).partition("@")
    names, lengths = metrics_of(searches)
    chosen = k if k in map(str, lengths) else own_k if own_k in map(str, lengths) or not lengths else str(lengths[-1])
    return f"{name if name in names else own_name}@{chosen}"


def board(searches: Sequence[Search], metric: str, *, page: int | str = 1, size: int = PAGE_LENGTH) -> Board:
    """Rank the models of searches that judge alike; a constant number of queries, however many searches there are."""
    sign = direction(metric)
    ranked = _ranked(searches, metric)
    found = Paginator(ranked.order_by("-value" if sign > 0 else "value", "search_id", "number"), size).get_page(page)
    finished = {search.pk: search for search in searches if search.state == SearchState.FINISHED}
    baselines = _baselines(searches, metric, finished)
    best = baselines[0].valid.value if baselines else None
    counts = _better(ranked, [row.valid.value for row in baselines], sign)
    trials = list(found)
    runs: dict[int, list[FinalistRun]] = defaultdict(list)
    for run in FinalistRun.objects.filter(trial__in=trials).defer("test_users").order_by("id"):
        runs[run.trial_id].append(run)
    ahead = {search.pk: _comparisons(search, metric) for search in finished.values()}
    rows = []
    for place, trial in enumerate(trials, start=found.start_index() if trials else 1):
        done = [run for run in runs[trial.pk] if run.state == RunState.COMPLETED] if trial.search_id in finished else []
        test = [_measured(run.test_scores, run.test_slices, metric) for run in done]
        means = [one.value for one in test if one is not None]
        errors = [one.error for one in test if one is not None and one.error is not None]
        rows.append(
            BoardRow(
                rank=place + sum(sign * row.valid.value > sign * trial.value for row in baselines),
                kind="trial",
                name=describe(Architecture.of(trial.architecture)),
                search_id=trial.search_id,
                valid=Measured(trial.value, trial.slices.get("errors", {}).get(metric)),
                trial_id=trial.pk,
                number=trial.number,
                arm=trial.arm,
                # Of one seed: the mean over seeds is a little surer than this says.
                test=Measured(statistics.fmean(means), statistics.fmean(errors) if errors else None) if means else None,
                test_sd=statistics.stdev(means) if len(means) > 1 else None,
                seeds=len(means),
                finalist=trial.pk in runs and bool(runs[trial.pk]),
                parameters=trial.parameters,
                seconds=trial.train_seconds,
                latency_ms=trial.latency_ms,
                beyond=None if best is None else trial.value - best,
                ahead=ahead.get(trial.search_id, {}).get(f"trial {trial.number}"),
            )
        )
    placed = [replace(row, rank=1 + index + better) for index, (row, better) in enumerate(zip(baselines, counts, strict=True))]
    return Board(metric, found, rows, placed, tested=bool(finished))


def _ranked(searches: Sequence[Search], metric: str) -> QuerySet[Any]:
    """Scored trials with their ``value``; of a search whose rungs grow the data, only those that were trained on the most of it."""
    trials = Trial.objects.filter(search__in=[search.pk for search in searches], reward__isnull=False)
    trials = trials.exclude(state__in=(RunState.FAILED, RunState.STOPPED)).defer("behaviour")
    growing = [search.pk for search in searches if plan_of(search).grows_data]
    if growing:
        tops = trials.filter(search__in=growing).order_by().values_list("search").annotate(top=Max("rung"))
        lower = Q()
        for search_id, top in tops:
            lower |= Q(search=search_id, rung__lt=top)
        trials = trials.exclude(lower) if lower else trials
    # The name of a metric is one of ours, never what a person wrote: see ``metric_chosen``.
    return trials.annotate(value=Cast(KT(f"scores__{metric}"), FloatField())).filter(value__isnull=False)


def _better(ranked: QuerySet[Any], values: Sequence[float], sign: int) -> list[int]:
    """For each of the values, how many trials are at least as good."""
    if not values:
        return []
    how = "gte" if sign > 0 else "lte"
    counted = ranked.aggregate(**{f"n{index}": Count("id", filter=Q(**{f"value__{how}": value})) for index, value in enumerate(values)})
    return [counted[f"n{index}"] for index in range(len(values))]


def _baselines(searches: Sequence[Search], metric: str, finished: Mapping[int, Search]) -> list[BoardRow]:
    """Each baseline once, best first, as the newest of the searches has it: they judge alike, so it scores alike in all of them."""
    rows: dict[str, BoardRow] = {}
    completed = Baseline.objects.filter(search__in=[search.pk for search in searches], state=RunState.COMPLETED)
    for baseline in completed.defer("test_users").order_by("-search_id", "id"):
        valid = _measured(baseline.valid_scores, baseline.valid_slices, metric)
        if valid is None or (baseline.name in rows and rows[baseline.name].test is not None):
            continue
        test = _measured(baseline.test_scores, baseline.test_slices, metric) if baseline.search_id in finished else None
        if baseline.name in rows and test is None:
            continue
        rows[baseline.name] = BoardRow(
            rank=0,
            kind="baseline",
            name=BASELINE_LABELS.get(baseline.name, baseline.name),
            search_id=baseline.search_id,
            valid=valid,
            test=test,
            seeds=int(test is not None),
            seconds=baseline.train_seconds,
        )
    return sorted(rows.values(), key=lambda row: -direction(metric) * row.valid.value)


def _measured(scores: Mapping[str, float], slices: Mapping[str, Any], metric: str) -> Measured | None:
    return Measured(scores[metric], slices.get("errors", {}).get(metric)) if metric in scores else None


def _comparisons(search: Search, metric: str) -> dict[str, Ahead]:
    """What a finished search found of its finalists, by their labels; single users are kept for the metric it maximised alone."""
    if metric != objective_of(search):
        return {}
    return {
        row["first"]: Ahead(row["second"], row["difference"], row["low"], row["high"], row["p"])
        for row in search.comparisons
        if row["kind"] == "finalist"
    }
