from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnn.plan import Rungs, SearchPlan
from gnn.protocol import Protocol
from searchworker.rungs import Rung, is_promoted

PROTOCOL = Protocol(max_epochs=40)


def rungs(plan: SearchPlan, count: int) -> list[Rung]:
    return [Rung.of(plan, PROTOCOL, number) for number in range(count)]


def test_without_rungs_a_trial_trains_to_its_end() -> None:
    (rung,) = rungs(SearchPlan(), 1)
    assert (rung.epochs, rung.share, rung.is_last) == (40, 1.0, True)
    assert not rung.ends_at(40)
    assert not rung.holds(40)


def test_rungs_by_epochs_go_on_from_where_they_ended() -> None:
    first, second, last = rungs(SearchPlan(rungs=Rungs(first=4, factor=3, count=3)), 3)
    assert [rung.epochs for rung in (first, second, last)] == [4, 12, 40]
    assert {rung.share for rung in (first, second, last)} == {1.0}
    assert first.ends_at(4)
    assert not first.ends_at(3)
    assert first.holds(4)
    assert not first.holds(3), "a trial that stopped improving before is complete"
    assert not last.holds(40)


def test_rungs_by_data_start_again_on_more_of_it() -> None:
    first, second, last = rungs(SearchPlan(rungs=Rungs(by="data", factor=2, count=3)), 3)
    assert [rung.share for rung in (first, second, last)] == [0.25, 0.5, 1.0]
    assert {rung.epochs for rung in (first, second, last)} == {40}
    assert first.holds(7)
    assert not first.ends_at(40)
    assert not last.holds(40)


@given(st.integers(1, 50), st.integers(2, 10), st.integers(2, 10), st.integers(51, 500))
def test_rungs_ascend_to_all_epochs(first: int, factor: int, count: int, max_epochs: int) -> None:
    ends = Rungs(first=first, factor=factor, count=count).epochs(max_epochs)
    assert ends[-1] == max_epochs
    assert all(before < after for before, after in pairwise(ends))
    assert len(ends) <= count


@pytest.mark.parametrize(("better", "scored", "promoted"), [(0, 1, False), (0, 2, False), (0, 3, True), (1, 5, False), (1, 6, True)])
def test_the_best_third_is_promoted(better: int, scored: int, promoted: bool) -> None:
    assert is_promoted(better, scored, factor=3) == promoted
