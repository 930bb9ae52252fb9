"""Each step of a preparation against sets counted by hand or by a plain loop."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnn.errors import DataError
from gnn.interactions import Interactions
from gnn.preparation import Preparation, prepare

Row = tuple[str, str, float, int]
ROWS: list[Row] = [
    ("a", "x", 5, 10),
    ("a", "x", 3, 5),
    ("a", "y", 1, 20),
    ("b", "x", 4, 30),
    ("b", "z", 2, 40),
    ("c", "x", 4, 50),
    ("a", "x", 1, 10),
]


def table(rows: list[Row], **more: Any) -> Interactions:
    users, items = list(dict.fromkeys(row[0] for row in rows)), list(dict.fromkeys(row[1] for row in rows))
    return Interactions(
        np.array([users.index(row[0]) for row in rows], dtype=np.int32),
        np.array([items.index(row[1]) for row in rows], dtype=np.int32),
        np.array([row[2] for row in rows], dtype=np.float32),
        np.array([row[3] for row in rows], dtype=np.int64),
        pl.Series(users, dtype=pl.String),
        pl.Series(items, dtype=pl.String),
        **more,
    )


def rows_after(data: Interactions, **asked: Any) -> list[Row]:
    kept = prepare(data, Preparation.from_json(asked)).interactions
    assert set(np.unique(kept.user).tolist()) == set(range(kept.n_users)), "an id without a row was kept"
    assert set(np.unique(kept.item).tolist()) == set(range(kept.n_items))
    weights = [1.0] * len(kept) if kept.weight is None else kept.weight.tolist()
    times = [0] * len(kept) if kept.timestamp is None else kept.timestamp.tolist()
    return list(zip(kept.user_ids.gather(kept.user), kept.item_ids.gather(kept.item), weights, times, strict=True))


def test_nothing_asked_keeps_everything() -> None:
    prepared = prepare(table(ROWS), Preparation())
    assert rows_after(table(ROWS)) == ROWS
    assert [(step.name, step.users, step.items, step.interactions) for step in prepared.steps] == [("read", 3, 3, 7)]


def test_thresholds_and_windows_include_their_limits() -> None:
    assert rows_after(table(ROWS), min_weight=4) == [ROWS[0], ROWS[3], ROWS[5]]
    assert rows_after(table(ROWS), first_time=20, last_time=40) == [ROWS[2], ROWS[3], ROWS[4]]


def test_implicit_forgets_the_weights_after_the_threshold() -> None:
    prepared = prepare(table(ROWS), Preparation(min_weight=4, implicit=True))
    assert prepared.interactions.weight is None
    assert [(step.name, step.interactions) for step in prepared.steps] == [("read", 7), ("min_weight", 3), ("implicit", 3)]


def test_duplicates_are_told_apart_by_time_then_by_row() -> None:
    assert rows_after(table(ROWS), duplicates="first") == ROWS[1:6]
    assert rows_after(table(ROWS), duplicates="last") == ROWS[2:7]
    assert rows_after(table(ROWS), duplicates="sum") == [*ROWS[2:6], ("a", "x", 9, 10)]


def test_the_same_pair_in_two_parts_of_a_split_is_no_duplicate() -> None:
    data = table(ROWS, part=np.array([0, 0, 0, 0, 0, 0, 2], dtype=np.int8))
    assert rows_after(data, duplicates="last") == [ROWS[0], *ROWS[2:]]


def test_behaviours_and_labels_choose_rows() -> None:
    data = table(
        ROWS,
        label=np.array([0, 1, 0, 1, 0, 0, 0.5], dtype=np.float32),
        behaviour=np.array([0, 1, 2, 0, 1, 2, 0], dtype=np.int32),
        behaviour_names=pl.Series(["view", "cart", "buy"]),
    )
    assert rows_after(data, positive_labels=True) == [ROWS[1], ROWS[3], ROWS[6]]
    assert rows_after(data, behaviours=["buy", "cart"]) == [ROWS[1], ROWS[2], ROWS[4], ROWS[5]]
    kept = prepare(data, Preparation(behaviours=("buy",))).interactions
    assert kept.behaviour_names is not None and kept.behaviour_names.to_list() == ["buy"]
    with pytest.raises(DataError, match="no behaviour 'like'. The behaviours are 'view', 'cart', 'buy'"):
        prepare(data, Preparation(behaviours=("like",)))


def plain_core(rows: list[Row], k: int) -> list[Row]:
    while True:
        pairs = {row[:2] for row in rows}
        users, items = Counter(user for user, _ in pairs), Counter(item for _, item in pairs)
        kept = [row for row in rows if users[row[0]] >= k and items[row[1]] >= k]
        if len(kept) == len(rows):
            return rows
        rows = kept


@settings(max_examples=60, deadline=None)
@given(pairs=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=80), k=st.integers(2, 4))
def test_the_core_is_what_repeated_removal_leaves(pairs: list[tuple[int, int]], k: int) -> None:
    rows = [(f"u{user}", f"i{item}", 1.0, 0) for user, item in pairs]
    expected = plain_core(rows, k)
    if expected:
        assert rows_after(table(rows), core=k) == expected
    else:
        with pytest.raises(DataError, match=f"Nothing is left after the preparation step “{k}-core”"):
            prepare(table(rows), Preparation(core=k))


def test_users_with_few_different_items_are_left_out() -> None:
    assert rows_after(table(ROWS), min_per_user=2) == [row for row in ROWS if row[0] != "c"]


def test_a_sample_takes_whole_users_and_repeats() -> None:
    rows = [(f"u{user}", f"i{item}", 1.0, 0) for user in range(50) for item in range(user % 4 + 1)]
    first = rows_after(table(rows), sample=0.3)
    users = {row[0] for row in first}
    assert len(users) == 15
    assert first == [row for row in rows if row[0] in users] == rows_after(table(rows), sample=0.3)
    assert {row[0] for row in rows_after(table(rows), sample=0.3, seed=1)} != users


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"core": 0}, "Preparation, core"),
        ({"sample": 0}, "Preparation, sample"),
        ({"first_time": 2, "last_time": 1}, r"ends \(1\) before it starts \(2\)"),
        ({"behaviours": []}, "at least one behaviour"),
        ({"min_weight": float("nan")}, "min_weight"),
        ({"k": 1}, "Preparation, k"),
    ],
)
def test_what_makes_no_sense_is_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Preparation.from_json(asked)


def test_a_step_names_what_the_data_lacks() -> None:
    with pytest.raises(DataError, match="needs a label, and no column is the label"):
        prepare(table(ROWS), Preparation(positive_labels=True))


def test_it_round_trips_through_json() -> None:
    asked = Preparation(behaviours=("buy",), min_weight=3, core=5, sample=0.5)
    assert Preparation.from_json(asked.to_json()) == asked
