from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnn.errors import DataError
from gnn.interactions import Interactions, require_splittable


def make(users: list[int], items: list[int], **optional: Any) -> Interactions:
    return Interactions(
        user=np.array(users, np.int32),
        item=np.array(items, np.int32),
        weight=optional.get("weight"),
        timestamp=optional.get("timestamp"),
        user_ids=pl.Series([f"u{code}" for code in range(max(users, default=-1) + 1)], dtype=pl.String),
        item_ids=pl.Series([f"i{code}" for code in range(max(items, default=-1) + 1)], dtype=pl.String),
    )


def assert_same(left: Interactions, right: Interactions) -> None:
    for name in ("user", "item", "weight", "timestamp"):
        expected, found = getattr(left, name), getattr(right, name)
        if expected is None:
            assert found is None
        else:
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)
    assert left.user_ids.to_list() == right.user_ids.to_list()
    assert left.item_ids.to_list() == right.item_ids.to_list()


def test_it_counts_rows_users_and_items() -> None:
    interactions = make([0, 1, 1], [0, 0, 3])
    assert (len(interactions), interactions.n_users, interactions.n_items) == (3, 2, 4)


def test_a_repeated_pair_is_one_distinct_pair() -> None:
    assert make([1, 0, 1, 0], [2, 0, 2, 1]).distinct_pairs().tolist() == [0, 1, 5]
    assert make([], []).distinct_pairs().tolist() == []


@given(
    rows=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9), st.floats(width=32, allow_nan=False), st.integers(-(2**40), 2**40))),
    with_weight=st.booleans(),
    with_timestamp=st.booleans(),
    ids=st.lists(st.text(), min_size=17, max_size=17, unique=True),
)
def test_parquet_gives_back_exactly_what_went_in(
    rows: list[tuple[int, int, float, int]], with_weight: bool, with_timestamp: bool, ids: list[str]
) -> None:
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    interactions = Interactions(
        user=np.array(columns[0], np.int32),
        item=np.array(columns[1], np.int32),
        weight=np.array(columns[2], np.float32) if with_weight else None,
        timestamp=np.array(columns[3], np.int64) if with_timestamp else None,
        user_ids=pl.Series(ids[:7], dtype=pl.String),
        item_ids=pl.Series(ids[7:], dtype=pl.String),
    )
    file = io.BytesIO()
    interactions.to_parquet(file)
    file.seek(0)
    assert_same(interactions, Interactions.from_parquet(file))


def test_parquet_works_with_a_path(tmp_path: Path) -> None:
    interactions = make([0, 1], [1, 0], weight=np.array([0.5, 2], np.float32))
    interactions.to_parquet(tmp_path / "data.parquet")
    assert_same(interactions, Interactions.from_parquet(tmp_path / "data.parquet"))


def test_it_refuses_arrays_of_the_wrong_type_or_length() -> None:
    with pytest.raises(DataError, match=r"weight must be float32 of shape \(2,\), but is float64"):
        make([0, 1], [0, 1], weight=np.array([1.0, 2.0]))
    with pytest.raises(DataError, match=r"item must be int32 of shape \(2,\), but is int32 of \(1,\)"):
        make([0, 1], [0])


def test_it_refuses_codes_outside_the_vocabulary() -> None:
    with pytest.raises(DataError, match="user codes must be from 0 to 0, but run from 0 to 1"):
        Interactions(np.array([0, 1], np.int32), np.array([0, 0], np.int32), None, None, pl.Series(["a"]), pl.Series(["x"]))


@pytest.mark.parametrize("content", [b"", b"not parquet at all"])
def test_it_says_so_when_a_file_is_no_interactions_table(content: bytes) -> None:
    with pytest.raises(DataError, match="not an interactions table"):
        Interactions.from_parquet(io.BytesIO(content))


def test_it_says_so_when_a_parquet_file_holds_something_else() -> None:
    file = io.BytesIO()
    pl.DataFrame({"user": ["a"], "price": [3]}).write_parquet(file)
    file.seek(0)
    with pytest.raises(DataError, match="not an interactions table"):
        Interactions.from_parquet(file)


def test_the_rule_for_splitting_states_itself_and_the_counts() -> None:
    with pytest.raises(DataError, match=r"at least 2 users, 2 items, 10 interactions.*this one has 1 user\(s\), 1 item\(s\) and 1 inter"):
        require_splittable(make([0], [0]))
    with pytest.raises(DataError, match=r"no user has more than 2 different item\(s\)"):
        require_splittable(make([0, 0, 1, 1, 2, 2, 3, 3, 4, 4], [0, 1] * 5))
    require_splittable(make([0, 0, 0, 1, 1, 1, 2, 2, 2, 3], [0, 1, 2] * 3 + [0]))
