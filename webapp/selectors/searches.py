"""What pages and commands read about searches; every answer is bounded and takes a constant number of queries."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from django.core.paginator import Page, Paginator
from django.db.models import Avg, Count, Max, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from gnn.catalogue import describe
from gnn.plan import Constraints
from gnn.protocol import Protocol
from gnn.space import Architecture
from webapp.enums import ArmName, RunState, SearchState
from webapp.models import Baseline, FinalistRun, Search, Trial
from webapp.selectors.annotations import annotated
from webapp.selectors.rounds import plan_of

LEADERBOARD_TRIALS = 50

METRIC_LABELS = {
    "precision": "Precision", "recall": "Recall", "f1": "F1", "ndcg": "NDCG", "map": "MAP", "mrr": "MRR", "hit": "Hit rate",
    "coverage": "Coverage", "gini": "Gini index", "novelty": "Novelty", "popularity": "Average popularity",
}  # fmt: skip

WHOLE_METRIC_LABELS = {"auc": "AUC", "rmse": "RMSE", "log_loss": "Log-loss", "label_auc": "AUC of labels"}
"""Those that look at no list: how all items are ranked, and how well weights and labels are foretold."""

CONTROLLER_LABELS = {"ppo": "PPO", "reinforce": "REINFORCE", "evolution": "Evolution", "tpe": "TPE", "random": "Random search"}

MAIN_METRICS = ("precision", "recall", "f1", "ndcg")
"""Those that leaderboards and learning curves have room for."""

BASELINE_LABELS = {
    "popularity": "Popularity", "itemknn": "ItemKNN", "userknn": "UserKNN", "rp3beta": "RP3β", "gfcf": "GF-CF", "ease": "EASE",
    "mf_bpr": "MF-BPR", "ials": "iALS", "lightgcn": "LightGCN",
}  # fmt: skip


@dataclass(frozen=True)
class LeaderboardRow:
    """One line of a leaderboard; ``test_scores`` is metric -> (mean, sd over seeds), None while nothing may be shown."""

    rank: int
    kind: Literal["trial", "baseline"]
    number: int | None
    name: str
    valid_scores: Mapping[str, float]
    test_scores: Mapping[str, tuple[float, float]] | None
    parameters: int | None
    train_seconds: float | None
    seeds: int
    is_finalist: bool
    by_chance: bool = False
    """Whether random search proposed it."""


@dataclass(frozen=True)
class BaselineState:
    name: str
    label: str
    state: str
    score: float | None
    """The objective on validation."""
    message: str

    def get_state_display(self) -> str:
        return str(RunState(self.state).label)


@dataclass(frozen=True)
class BestTrial:
    number: int
    score: float
    architecture: Architecture

    @property
    def description(self) -> str:
        return describe(self.architecture)


@dataclass(frozen=True)
class Progress:
    """How far a search is; counts are of trials, times are in seconds."""

    state: str
    planned: int
    by_state: Mapping[str, int]
    best: BestTrial | None
    baselines: Sequence[BaselineState]
    finalist_runs: int
    finalist_runs_done: int
    elapsed: float
    eta: float | None

    @property
    def done(self) -> int:
        """Trials that used up budget, whether they gave a score or not."""
        return sum(self.by_state.get(state, 0) for state in (RunState.COMPLETED, RunState.WAITING, RunState.FAILED))

    @property
    def failed(self) -> int:
        return self.by_state.get(RunState.FAILED, 0)

    @property
    def running(self) -> int:
        return self.by_state.get(RunState.RUNNING, 0)

    @property
    def queued(self) -> int:
        return self.by_state.get(RunState.QUEUED, 0)

    @property
    def percent(self) -> float:
        return min(100.0, 100 * self.done / self.planned) if self.planned else 0.0


def planned_total(search: Search) -> int:
    """Trials that the controller and, beside it, random search may propose."""
    return search.planned_trials * (2 if search.plan["random_arm"] else 1)


def objective_of(search: Search) -> str:
    """The metric the search maximises, e.g. ``ndcg@20``."""
    return Protocol.from_json(search.protocol).objective


def rewards_metric(search: Search) -> bool:
    """Whether rewards are the metric alone; weights of several measures and limits make other numbers of it."""
    plan = plan_of(search)
    return not plan.objectives and plan.constraints == Constraints()


def reward_label(search: Search) -> str:
    """What rewards of a search are called: the metric, where they are nothing else, so that baselines compare with them."""
    return metric_label(objective_of(search)) if rewards_metric(search) else gettext("Reward")


def progress(search: Search) -> Progress:
    counts: dict[str, int] = {}
    seconds: float | None = None
    for row in Trial.objects.filter(search=search).values("state").annotate(trials=Count("id"), seconds=Avg("train_seconds")).order_by():
        counts[row["state"]] = row["trials"]
        if row["state"] == RunState.COMPLETED:
            seconds = row["seconds"]
    best = _scored(search).order_by("-reward", "number").values_list("number", "reward", "architecture").first()
    runs = FinalistRun.objects.filter(search=search).aggregate(
        all=Count("id"), done=Count("id", filter=~Q(state__in=(RunState.QUEUED, RunState.RUNNING)))
    )
    planned = planned_total(search)
    remaining = planned - sum(counts.get(state, 0) for state in (RunState.COMPLETED, RunState.WAITING, RunState.FAILED))
    eta = None
    if search.state == SearchState.RUNNING and seconds is not None:
        # What runs now, not what was asked for: a search set to 8 workers may have 2.
        eta = max(0, remaining) * seconds / max(1, counts.get(RunState.RUNNING, 0))
    return Progress(
        state=search.state,
        planned=planned,
        by_state=counts,
        best=None if best is None or best[1] is None else BestTrial(best[0], best[1], Architecture.of(best[2])),
        baselines=baseline_states(search),
        finalist_runs=runs["all"],
        finalist_runs_done=runs["done"],
        elapsed=((search.finished_at or timezone.now()) - search.created_at).total_seconds(),
        eta=eta,
    )


def baseline_states(search: Search) -> list[BaselineState]:
    objective = objective_of(search)
    return [
        BaselineState(
            name=row.name,
            label=BASELINE_LABELS.get(row.name, row.name),
            state=row.state,
            score=row.valid_scores.get(objective),
            message=row.message,
        )
        for row in Baseline.objects.filter(search=search).defer("test_users").order_by("id")
    ]


def leaderboard(search: Search) -> list[LeaderboardRow]:
    """The best trials, random search's best and every scored baseline, ranked together by the objective on validation."""
    objective = objective_of(search)
    tested = search.state == SearchState.FINISHED
    ranked = _scored(search).order_by("-reward", "number").defer("behaviour")
    trials = list(ranked[:LEADERBOARD_TRIALS])
    by_chance = ranked.filter(arm=ArmName.RANDOM).first()
    if by_chance is not None and by_chance not in trials:
        trials[-1] = by_chance
    runs: dict[int, list[FinalistRun]] = {}
    for run in FinalistRun.objects.filter(search=search).defer("test_users").order_by("id"):
        runs.setdefault(run.trial_id, []).append(run)
    rows: list[LeaderboardRow] = []
    for trial in trials:
        done = [run for run in runs.get(trial.pk, []) if run.state == RunState.COMPLETED]
        rows.append(
            LeaderboardRow(
                rank=0,
                kind="trial",
                number=trial.number,
                name=describe(Architecture.of(trial.architecture)),
                valid_scores=trial.scores,
                test_scores=mean_and_sd([run.test_scores for run in done]) if tested and done else None,
                parameters=trial.parameters,
                train_seconds=trial.train_seconds,
                seeds=max(1, len(done)),
                is_finalist=trial.pk in runs,
                by_chance=trial.arm == ArmName.RANDOM,
            )
        )
    baselines = list(Baseline.objects.filter(search=search, state=RunState.COMPLETED).defer("test_users").order_by("id"))
    for baseline in baselines:
        rows.append(
            LeaderboardRow(
                rank=0,
                kind="baseline",
                number=None,
                name=BASELINE_LABELS.get(baseline.name, baseline.name),
                valid_scores=baseline.valid_scores,
                test_scores=mean_and_sd([baseline.test_scores]) if tested else None,
                parameters=None,
                train_seconds=baseline.train_seconds,
                seeds=1,
                is_finalist=False,
            )
        )
    rows.sort(key=lambda row: -row.valid_scores.get(objective, float("-inf")))
    left_out = _left_out(search, trials, [baseline.valid_scores.get(objective, 0.0) for baseline in baselines])
    return [replace(row, rank=rank + left_out.get(row.valid_scores.get(objective, 0.0), 0)) for rank, row in enumerate(rows, start=1)]


def _left_out(search: Search, shown: Sequence[Trial], scores: Sequence[float]) -> dict[float, int]:
    """For each of ``scores``, how many trials reach it without being among those shown, so that ranks stay true."""
    if len(shown) < LEADERBOARD_TRIALS:
        return {}
    counts = {f"above{index}": Count("id", filter=Q(reward__gte=score)) for index, score in enumerate(scores)}
    above = _scored(search).aggregate(**counts)
    return {score: max(0, above[f"above{index}"] - len(shown)) for index, score in enumerate(scores)}


def mean_and_sd(scores: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Mean and sample standard deviation of each metric over seeds; the deviation of one seed is 0."""
    values = {metric: [score[metric] for score in scores if metric in score] for metric in scores[0]}
    return {metric: (statistics.fmean(some), statistics.stdev(some) if len(some) > 1 else 0.0) for metric, some in values.items()}


def searches_listed(*, text: str = "", state: str = "") -> QuerySet[Search]:
    """Searches, newest first, with their datasets and owners."""
    searches = Search.objects.select_related("dataset", "owner").defer("space")
    if text:
        searches = searches.filter(Q(name__icontains=text) | Q(dataset__name__icontains=text))
    if state:
        searches = searches.filter(state=state)
    return searches.order_by("-id")


def searches_page(
    *, text: str = "", state: str = "", page: int | str = 1, size: int = 25, tag: str = "", archived: bool = False
) -> Page[Search]:
    """A page of ``searches_listed``; a page number out of range gives the nearest page."""
    return Paginator(annotated(searches_listed(text=text, state=state), tag=tag, archived=archived), size).get_page(page)


def search_counts(*, tag: str = "", archived: bool = False) -> dict[str, int]:
    """State -> number of searches in it."""
    return dict(annotated(Search.objects.all(), tag=tag, archived=archived).values_list("state").annotate(Count("id")).order_by())


@dataclass(frozen=True)
class SearchRow:
    """One line of a list of searches."""

    search: Search
    done: int
    failed: int
    best: float | None
    """The best reward."""
    objective: str

    @property
    def reward_label(self) -> str:
        return reward_label(self.search)

    @property
    def percent(self) -> float:
        return min(100.0, 100 * self.done / planned_total(self.search))


def search_rows(searches: Sequence[Search]) -> list[SearchRow]:
    """Add to each search what its trials have reached: one query for all of them."""
    done = Count("id", filter=Q(state__in=(RunState.COMPLETED, RunState.WAITING, RunState.FAILED)))
    failed = Count("id", filter=Q(state=RunState.FAILED))
    best = Max("reward", filter=~Q(state__in=(RunState.FAILED, RunState.STOPPED)))
    found = {
        row["search_id"]: row
        for row in Trial.objects.filter(search__in=[search.pk for search in searches])
        .values("search_id")
        .annotate(done=done, failed=failed, best=best)
        .order_by()
    }
    rows = []
    for search in searches:
        row = found.get(search.pk)
        done_count, failed_count, best_score = (0, 0, None) if row is None else (row["done"], row["failed"], row["best"])
        rows.append(SearchRow(search, done_count, failed_count, best_score, objective_of(search)))
    return rows


def _scored(search: Search) -> QuerySet[Trial]:
    """Trials with a score, also those on their way to the next rung: a failed trial's reward is a penalty, not a score."""
    return Trial.objects.filter(search=search, reward__isnull=False).exclude(state__in=(RunState.FAILED, RunState.STOPPED))


def validation_verdict(rows: Sequence[LeaderboardRow], objective: str) -> str:
    """One honest sentence: how the best architecture compares with the best baseline on validation."""
    label = metric_label(objective)
    trial = next((row for row in rows if row.kind == "trial"), None)
    baseline = next((row for row in rows if row.kind == "baseline"), None)
    if trial is None or baseline is None:
        return ""
    ours, theirs = trial.valid_scores[objective], baseline.valid_scores[objective]
    if ours > theirs:
        return f"Trial {trial.number} is ahead of the best baseline, {baseline.name}, by {ours - theirs:.4f} {label} on validation."
    if ours == theirs:
        return f"No architecture beats {baseline.name} so far: trial {trial.number} equals it at {ours:.4f} {label} on validation."
    return (
        f"No architecture beats {baseline.name} so far: {theirs:.4f} {label} on validation, "
        f"against {ours:.4f} for the best architecture, trial {trial.number}."
    )


def metric_label(metric: str) -> str:
    """``ndcg@20`` as people write it: ``NDCG@20``."""
    name, _, k = metric.partition("@")
    return f"{METRIC_LABELS.get(name, name)}@{k}"
