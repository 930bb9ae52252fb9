from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from gnn.catalogue import PRESETS
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


def warned(interactions: Interactions) -> str:
    return "\n".join(profile(interactions, Rejects(len(interactions), len(interactions)))["warnings"])


def test_ids_in_both_spellings_are_told() -> None:
    text = warned(make([0, 1, 2, 3], [0, 1, 0, 1], user_ids=["Ann", "bob", "ann ", "B ob"]))
    assert "2 user ids differ from another only by case or spaces, such as 'Ann' and 'ann '" in text
    assert "item ids differ" not in text


def test_weights_that_look_like_labels_are_told() -> None:
    assert "the column is a label, not a weight" in warned(make([0, 0, 1], [0, 1, 0], [0, 1, 0]))
    assert "label" not in warned(make([0, 0, 1], [0, 1, 0], [0, 1, 2]))


def divided(part: list[int], timestamp: list[int] | None = None) -> Interactions:
    return replace(make([0, 0, 1, 1, 0, 2], [0, 1, 0, 1, 0, 0], timestamp=timestamp), part=np.array(part, np.int8))


def test_a_leak_between_given_parts_is_told() -> None:
    text = warned(divided([0, 0, 0, 1, 2, 2]))
    assert "1 of 2 test rows are in training too" in text
    assert "1 test rows are of users who have no training row" in text
    assert "validation rows are in training" not in text
    assert "learn from the future" not in warned(divided([0, 0, 0, 1, 2, 2], [1, 2, 3, 4, 5, 6]))
    assert "Some training rows are later than some test rows" in warned(divided([0, 0, 0, 1, 2, 2], [1, 2, 9, 10, 5, 10]))
    assert profile(divided([0, 0, 0, 1, 2, 2]), Rejects(6, 6))["parts"] == {"train": 3, "valid": 1, "test": 2}


def test_labels_behaviours_and_positions_are_counted() -> None:
    data = replace(
        make([0, 0, 1], [0, 1, 0]),
        label=np.array([0, 1, 0.5], np.float32),
        behaviour=np.array([1, 1, 0], np.int32),
        behaviour_names=pl.Series(["view", "buy"]),
        position=np.array([3, 1, 2], np.int32),
    )
    found = profile(data, Rejects(3, 3))
    assert found["roles"] == {
        "label": {"positive": 2, "share": pytest.approx(2 / 3)},
        "behaviour": {"names": ["buy", "view"], "counts": [2, 1], "distinct": 2},
        "position": {"min": 1, "max": 3},
    }
    assert any("1 of 3 rows have the label 0" in warning for warning in found["warnings"])


def test_degrees_count_everyone_once() -> None:
    found = profile(make([0] * 9 + [1, 2, 2], list(range(9)) + [0, 0, 1]), Rejects(12, 12))
    assert found["degrees"]["user"] == {"low": [0, 1, 2, 4, 8, 16], "count": [0, 1, 1, 0, 1, 0]}
    assert found["cold"] == {"users": 2, "items": 8, "below": 3}


@pytest.mark.parametrize(
    ("data", "split"),
    [
        (make([0, 1], [0, 1], timestamp=[1, 2]), "temporal"),
        (make([0, 1], [0, 1], timestamp=[1, 1]), "leave_one_out"),
        (make([0] * 9 + [1] * 9, list(range(9)) * 2), "ratio"),
        (divided([0, 0, 0, 1, 2, 2]), "predefined"),
    ],
)
def test_the_split_that_fits_the_data_is_recommended(data: Interactions, split: str) -> None:
    found = profile(data, Rejects(len(data), len(data)))["recommended"]
    assert found["split"] == split and found["space"] in PRESETS
