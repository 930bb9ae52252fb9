from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pytest

from gnn.interactions import Interactions
from gnn.profile import MAX_POINTS, profile
from gnn.sources.rejects import Rejects


def make(users: list[int], items: list[int], weight: Any = None, timestamp: Any = None, user_ids: list[str] | None = None) -> Interactions:
    return Interactions(
        user=np.array(users, np.int32),
        item=np.array(items, np.int32),
        weight=None if weight is None else np.array(weight, np.float32),
        timestamp=None if timestamp is None else np.array(timestamp, np.int64),
        user_ids=pl.Series(user_ids or [f"u{code}" for code in range(max(users) + 1)]),
        item_ids=pl.Series([f"i{code}" for code in range(max(items) + 1)]),
    )


def test_counts_by_hand() -> None:
    found = profile(make([0, 0, 0, 1, 1], [0, 1, 1, 0, 3], [1, 2, 2, 5, 1], [100, 200, 300, 7200, 50]), Rejects(6, 5))
    assert (found["users"], found["items"], found["interactions"], found["pairs"]) == (2, 4, 5, 4)
    assert found["density"] == 0.5
    assert found["per_user"] == {"mean": 2.5, "median": 2.5, "min": 2, "max": 3}
    assert found["per_item"] == {"mean": 1.25, "median": 1.5, "min": 0, "max": 2}
    assert found["time"] == {"first": 50, "last": 7200}
    assert found["user_tail"] == {"rank": [1, 2], "count": [3, 2]}
    assert found["item_tail"] == {"rank": [1, 2, 3, 4], "count": [2, 2, 1, 0]}
    assert found["weights"] == {"kind": "values", "value": [1.0, 2.0, 5.0], "count": [2, 2, 1]}
    assert found["timeline"] == {"step": 3600, "start": [0, 3600, 7200], "count": [4, 0, 1]}
    assert found["first_rows"][3] == {"user": "u1", "item": "i0", "weight": 5.0, "timestamp": 7200}


def test_data_without_weight_and_time_has_no_such_series() -> None:
    found = profile(make([0, 1], [0, 1]), Rejects(2, 2))
    assert found["weights"] is found["timeline"] is found["time"] is None
    assert found["first_rows"][0] == {"user": "u0", "item": "i0"}


def test_series_stay_short_and_keep_their_totals() -> None:
    random = np.random.default_rng(7)
    n = 50_000
    weights = random.exponential(3, n) ** 2 + 0.1
    times = random.integers(0, 40 * 365 * 86_400, n)
    found = profile(
        make(random.integers(0, 9000, n).tolist(), random.zipf(1.3, n).clip(max=20_000).tolist(), weights, times), Rejects(n, n)
    )
    for series in (found["user_tail"]["rank"], found["item_tail"]["rank"], found["timeline"]["start"], found["weights"]["count"]):
        assert 40 < len(series) <= MAX_POINTS
    assert found["item_tail"]["rank"][-1] == found["items"]
    assert sum(found["timeline"]["count"]) == sum(found["weights"]["count"]) == n
    assert found["weights"]["log"]
    assert len(json.dumps(found)) < 30_000


@pytest.mark.parametrize("span", [0, 1, 3600 * 150, 86_400 * 198, 86_400 * 365 * 190, 86_400 * 365 * 9000])
def test_a_time_line_of_any_length_fits(span: int) -> None:
    timeline = profile(make([0, 1], [0, 1], timestamp=[12_345, 12_345 + span]), Rejects(2, 2))["timeline"]
    assert len(timeline["count"]) <= MAX_POINTS
    assert sum(timeline["count"]) == 2
    assert timeline["start"][0] <= 12_345 < timeline["start"][0] + timeline["step"]
    assert timeline["start"][-1] <= 12_345 + span < timeline["start"][-1] + timeline["step"]


def test_warnings_say_what_may_spoil_a_search() -> None:
    users = [0, 0, 0, 1]
    found = profile(make(users, [0, 0, 1, 0], [3, 3, 3, 3], [5, 5, 5, 5], ["NULL", "b"]), Rejects(5, 4, counts={}))["warnings"]
    assert found == [
        "1 rows repeat a user and item already seen. They stay in the data; the graph joins a pair once.",
        "Every weight is 3, so weights tell the model nothing.",
        "1 of 2 users have fewer than 3 interactions, too few to judge recommendations for them.",
        "4 interactions are few: scores will differ much by chance from one split to another.",
        "Every timestamp is the same, so a split by time is not possible.",
        "Some times lie before 1985 or after 2100. Check the unit of the timestamp column.",
        "3 rows have the user 'NULL', which looks like a missing value.",
    ]


def test_clean_timed_data_is_warned_of_a_random_split_only() -> None:
    users = np.repeat(np.arange(100), 10)
    interactions = make(users.tolist(), np.tile(np.arange(10), 100).tolist(), timestamp=1_000_000_000 + np.arange(1000))
    assert profile(interactions, Rejects(1000, 1000))["warnings"] == [
        "The rows have times. A random split lets a model learn from the future; a split by time is closer to real use."
    ]
