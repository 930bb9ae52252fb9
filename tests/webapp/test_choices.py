from __future__ import annotations

from typing import Any

import pytest

from gnn.space import DecisionSpec, SearchSpace
from tests.webapp.factories import make_search, make_trials
from webapp.models import Trial
from webapp.selectors.choices import NOT_MADE, choice_table

SPACE = SearchSpace(
    [DecisionSpec("node_dim", (16, 32)), DecisionSpec("layers", (1, 2)), DecisionSpec("operator", ("gcn", "gat"), per="layers")]
)


def test_trials_are_read_once(db: None, django_assert_num_queries: Any) -> None:
    search = make_search(space=SPACE.to_json())
    first, second = make_trials(search, [0.1, 0.2])
    Trial.objects.filter(pk=first.pk).update(architecture={"node_dim": 32, "layers": 1, "operator.1": "gat"})
    Trial.objects.filter(pk=second.pk).update(architecture={"node_dim": 16, "layers": 2, "operator.1": "gcn", "operator.2": "gat"})
    table = choice_table(search)
    assert [decision.name for decision in table.decisions] == ["node_dim", "layers", "operator.1", "operator.2"]
    assert table.codes.tolist() == [[1, 0, 1, NOT_MADE], [0, 1, 0, 1]]
    third = make_trials(search, [0.3], start=3)[0]
    Trial.objects.filter(pk=third.pk).update(architecture={"node_dim": 16, "layers": 1, "operator.1": "gcn"})
    with django_assert_num_queries(1) as captured:
        table = choice_table(search)
    assert '"number" > 2' in captured[0]["sql"]
    assert table.numbers.tolist() == [1, 2, 3]
    assert table.row(3).tolist() == [0, 0, 0, NOT_MADE]
    with pytest.raises(KeyError):
        table.row(4)
