"""Finishing a search: paired comparisons on test, the verdict in words, and which decisions mattered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gnn.significance import Comparison, compare, corrected, verdict_sentence
from searchworker.measuring import measure_importance
from webapp.enums import ArmName
from webapp.models import Search
from webapp.selectors.rounds import least_measured, plan_of
from webapp.selectors.searches import CONTROLLER_LABELS, metric_label, objective_of
from webapp.selectors.tested import Tested, best_first, tested_baselines, tested_finalists
from webapp.services.searches import search_finish


@dataclass(frozen=True)
class Paired:
    """A finalist against something else, on the same test users."""

    kind: str
    """Of the winner: baseline, runner_up or random_arm. Of every finalist against the best baseline: finalist."""
    first: Tested
    other: Tested
    result: Comparison

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "first": self.first.label,
            "second": self.other.label,
            "difference": self.result.difference,
            "low": self.result.low,
            "high": self.result.high,
            "p": self.result.p_value,
        }


def finish(search: Search) -> None:
    """End a search whose finalists and baselines are all tested.

    Comparisons and importance take seconds, so call it outside a transaction: what they rest on is final, and the search is
    locked for writing alone.
    """
    finalists, baselines = tested_finalists(search), best_first(tested_baselines(search))
    own = [model for model in finalists if model.arm != ArmName.RANDOM]
    if not own:
        search_finish(search_id=search.pk, message="The search is over, but no finalist could be retrained; see their messages.")
        return
    winner = own[0]
    by_chance = [model for model in finalists if model.arm == ArmName.RANDOM]
    beside = (("baseline", baselines), ("runner_up", own[1:2]), ("random_arm", by_chance))
    pairs = _paired([(kind, winner, other) for kind, some in beside for other in some])
    # A family of its own: whoever reads the leaderboard asks which finalists are ahead of the best baseline.
    ranked = _paired([("finalist", model, baseline) for model in finalists for baseline in baselines[:1]])
    measure_importance(search.pk)
    search_finish(
        search_id=search.pk,
        message=" ".join((verdict(search.controller, metric_label(objective_of(search)), winner, pairs), *_limits_missed(search))),
        comparisons=[pair.to_json() for pair in (*pairs, *ranked)],
    )


def _paired(pairs: Sequence[tuple[str, Tested, Tested]]) -> list[Paired]:
    """Compare each pair; p values are corrected for all of them."""
    results = corrected([compare(first.users, other.users) for _, first, other in pairs])
    return [Paired(kind, first, other, result) for (kind, first, other), result in zip(pairs, results, strict=True)]


def verdict(controller: str, metric: str, winner: Tested, pairs: Sequence[Paired]) -> str:
    """How the winner scores on test, and how that compares with the best baseline and with random search, in a few sentences."""
    whose = "The best by hand" if winner.arm == ArmName.MANUAL else f"{CONTROLLER_LABELS[controller]}'s best"
    name = f"{whose}, {winner.label},"
    seeds = f"mean of {winner.seeds} seeds" if winner.seeds > 1 else "1 seed"
    sentences = [f"{name} scores {winner.score:.4f} {metric} on test ({seeds})."]
    baseline = next((pair for pair in pairs if pair.kind == "baseline"), None)
    if baseline is None:
        sentences.append("No baseline completed.")
    else:
        sentences.append(verdict_sentence("It", f"the best baseline, {baseline.other.label},", metric, baseline.result))
        if baseline.result.separable and baseline.result.high < 0:
            sentences.append(f"Use {baseline.other.label}.")
    chance = next((pair for pair in pairs if pair.kind == "random_arm"), None)
    if chance is not None:
        sentences.append(verdict_sentence("It", "the best of random search at the same budget", metric, chance.result))
    return " ".join(sentences)


def _limits_missed(search: Search) -> list[str]:
    """A sentence for each limit that is known only after training and that no trial kept to."""
    constraints = plan_of(search).constraints
    limits = {"latency": ("latency_ms", constraints.max_latency_ms), "training time": ("train_seconds", constraints.max_train_seconds)}
    return [
        f"No trial kept to the limit on {name}, {limit:g}; the least was {least:.3g}."
        for name, (column, limit) in limits.items()
        if limit is not None and (least := least_measured(search, column)) is not None and least > limit
    ]
