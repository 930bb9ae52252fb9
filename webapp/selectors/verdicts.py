"""What a finished search says of itself in one sentence."""

from __future__ import annotations

from statistics import fmean

from gnn.protocol import Protocol
from webapp.enums import RunState
from webapp.models import Baseline, FinalistRun, Search, Trial
from webapp.selectors.searches import BASELINE_LABELS, metric_label


def verdict(search: Search) -> str:
    """One honest sentence: how the best finalist compares with the best baseline on test."""
    objective = Protocol.from_json(search.protocol).objective
    by_trial: dict[int, list[float]] = {}
    for number, scores in FinalistRun.objects.filter(search=search, state=RunState.COMPLETED).values_list("trial__number", "test_scores"):
        by_trial.setdefault(number, []).append(scores[objective])
    baselines = {
        BASELINE_LABELS[name]: scores[objective]
        for name, scores in Baseline.objects.filter(search=search, state=RunState.COMPLETED).values_list("name", "test_scores")
    }
    if not by_trial:
        return "The search is over, but no finalist could be retrained; see their messages."
    # The winner is the trial that validation ranked first; picking it by test would report a lucky number.
    number = Trial.objects.filter(search=search, number__in=by_trial).order_by("-reward", "number").values_list("number", flat=True)[0]
    mean = fmean(by_trial[number])
    seeds = f"mean of {len(by_trial[number])} seeds" if len(by_trial[number]) > 1 else "1 seed"
    sentence = f"Trial {number} scores {mean:.4f} {metric_label(objective)} on test ({seeds})"
    if not baselines:
        return f"{sentence}; no baseline completed."
    name, best = max(baselines.items(), key=lambda item: item[1])
    if mean > best:
        return f"{sentence}, {mean - best:.4f} above the best baseline, {name} ({best:.4f})."
    if mean == best:
        return f"{sentence}, no more than the best baseline, {name}: use {name}."
    return f"{sentence}, {best - mean:.4f} below the best baseline, {name} ({best:.4f}): use {name}."
