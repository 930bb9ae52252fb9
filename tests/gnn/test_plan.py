from __future__ import annotations

from typing import Any

import pytest

from gnn.errors import SpaceError
from gnn.plan import Budget, Constraints, Rungs, SearchPlan, Term
from gnn.protocol import Protocol


def test_a_plan_survives_json() -> None:
    plan = SearchPlan(
        rungs=Rungs(first=2),
        median_stop=True,
        inherit=True,
        objectives=(Term(measure="ndcg@20", weight=1.0), Term(measure="parameters", weight=0.01)),
        constraints=Constraints(max_parameters=1000),
        budget=Budget(epochs=50, target=0.3),
    )
    assert SearchPlan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize(
    ("document", "field", "words"),
    [
        ({"budget": {"epochs": 0}}, "budget", "budget.epochs"),
        ({"rungs": {"factor": 1}}, "rungs", "rungs.factor"),
        ({"speed": 1}, "speed", "speed"),
        ({"objectives": [{"measure": "ndcg@20", "weight": -1}]}, "objectives", "objectives.0.weight"),
        ({"objectives": [{"measure": "ndcg@20", "weight": 0}]}, None, "weight 0"),
        ({"objectives": [{"measure": "hit@20", "weight": 1}, {"measure": "hit@20", "weight": 2}]}, None, "twice: hit@20, hit@20"),
        ({"constraints": {"max_latency_ms": 0}}, "constraints", "constraints.max_latency_ms"),
        ({"reward": "k_fold", "inherit": True}, None, "turn off rungs, median stop and inheritance"),
    ],
)
def test_a_bad_plan_names_its_setting(document: dict[str, Any], field: str | None, words: str) -> None:
    with pytest.raises(SpaceError, match=words.replace(".", r"\.")) as error:
        SearchPlan.from_json(document)
    assert error.value.field == field


@pytest.mark.parametrize(
    ("plan", "field", "words"),
    [
        (SearchPlan(objectives=(Term(measure="ndcg@7", weight=1),)), "objectives", "'ndcg@7' is not measured"),
        (SearchPlan(objectives=(Term(measure="speed", weight=1),)), "objectives", "'speed' is not measured"),
        (SearchPlan(reward="k_fold"), "reward", "needs the split 'k_fold'"),
        (SearchPlan(rungs=Rungs(first=100)), "rungs", "100 epochs, which must be below the 100"),
    ],
)
def test_a_plan_that_does_not_fit_the_protocol_is_refused(plan: SearchPlan, field: str, words: str) -> None:
    with pytest.raises(SpaceError, match=words) as error:
        plan.check(Protocol())
    assert error.value.field == field


def test_costs_and_gaps_may_be_objectives() -> None:
    measures = ("recall@10", "coverage@20", "fairness_gap@20", "parameters", "latency_ms", "train_seconds")
    SearchPlan(objectives=tuple(Term(measure=measure, weight=0.1) for measure in measures)).check(Protocol())


def test_usual_rungs_need_trials_longer_than_the_first() -> None:
    assert SearchPlan.usual(3) == SearchPlan(standard_first=True)
    assert SearchPlan.usual(4) == SearchPlan(standard_first=True, rungs=Rungs(by="epochs", first=3, factor=3, count=4))
