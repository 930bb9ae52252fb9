from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnn.errors import DataError, SpaceError
from gnn.protocol import SPLIT_KINDS, Protocol
from gnn.sources.mapping import PARTS
from gnn.splits import split
from tests.gnn.toy import make_interactions


def by_user(counts, timestamp=None):
    pairs = [(user, item) for user, count in enumerate(counts) for item in range(count)]
    return make_interactions(pairs, len(counts), max(counts), timestamp=timestamp)


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(1, 12), min_size=3, max_size=12).filter(lambda counts: max(counts) >= 3 and sum(counts) >= 20),
    kind=st.sampled_from([kind for kind in SPLIT_KINDS if kind != "predefined"]),
    seed=st.integers(0, 5),
)
def test_parts_are_disjoint_cover_everything_and_repeat(counts, kind, seed):
    interactions = by_user(counts, timestamp=np.random.default_rng(seed).integers(0, 9, sum(counts)))
    protocol = Protocol(split=kind, split_seed=seed)
    parts, again = split(interactions, protocol), split(interactions, protocol)
    for name in ("train", "valid", "test"):
        assert getattr(parts, name).dtype == np.int64
        assert getattr(parts, name).tolist() == sorted(getattr(parts, name).tolist()) == getattr(again, name).tolist()
    together = np.concatenate([parts.train, parts.valid, parts.test])
    assert sorted(together.tolist()) == list(range(len(interactions)))
    if kind == "temporal":
        time = interactions.timestamp
        assert time[parts.train].max() <= time[parts.valid].min() <= time[parts.valid].max() <= time[parts.test].min()
    if kind == "leave_one_out":
        for part in (parts.valid, parts.test):
            assert np.bincount(interactions.user[part]).max() == 1
        latest = np.full(len(counts), -1)
        np.maximum.at(latest, interactions.user, interactions.timestamp)
        assert interactions.timestamp[parts.test].tolist() == latest[interactions.user[parts.test]].tolist()
    if kind in ("ratio", "leave_one_out"):
        assert set(interactions.user[parts.train].tolist()) == set(interactions.user.tolist())


def test_ratio_counts_per_user():
    interactions = by_user([20, 10, 5, 2, 1, 40])
    parts = split(interactions, Protocol(valid_fraction=0.1, test_fraction=0.2))
    assert np.bincount(interactions.user[parts.test], minlength=6).tolist() == [4, 2, 1, 1, 0, 8]
    assert np.bincount(interactions.user[parts.valid], minlength=6).tolist() == [2, 1, 1, 0, 0, 4]


@settings(max_examples=30, deadline=None)
@given(counts=st.lists(st.integers(5, 12), min_size=3, max_size=12), folds=st.integers(3, 5), seed=st.integers(0, 5))
def test_over_all_folds_each_interaction_tests_and_validates_once(counts, folds, seed):
    interactions = by_user(counts)
    parts = [split(interactions, Protocol(split="k_fold", folds=folds, fold=fold, split_seed=seed)) for fold in range(folds)]
    for name in ("valid", "test"):
        assert sorted(np.concatenate([getattr(part, name) for part in parts]).tolist()) == list(range(len(interactions)))
    for fold, part in enumerate(parts):
        assert part.valid.tolist() == parts[(fold + 1) % folds].test.tolist()
        # Each user gives each fold its share, up to rounding.
        given_up = np.bincount(interactions.user[part.test], minlength=len(counts))
        assert (np.abs(given_up - np.array(counts) / folds) < 1).all()


def divided(counts, part):
    return replace(by_user(counts), part=np.array(part, dtype=np.int8))


def test_a_given_split_is_taken_as_it_is():
    parts = split(divided([3, 3], [0, 1, 2, 0, 0, 2]), Protocol(split="predefined"))
    assert [getattr(parts, name).tolist() for name in PARTS] == [[0, 3, 4], [1], [2, 5]]


def test_validation_is_taken_from_training_where_none_is_given():
    counts = [20, 10, 3]
    part = np.zeros(33, dtype=np.int8)
    part[[0, 1, 20, 30]] = 2
    data = divided(counts, part)
    parts = split(data, Protocol(split="predefined", valid_fraction=0.2))
    assert parts.test.tolist() == [0, 1, 20, 30]
    # 18, 9 and 2 are left to train; a fifth is rounded down, but at least one.
    assert np.bincount(data.user[parts.valid], minlength=3).tolist() == [3, 1, 1]
    assert sorted([*parts.train.tolist(), *parts.valid.tolist(), *parts.test.tolist()]) == list(range(33))
    assert parts.valid.tolist() == split(data, Protocol(split="predefined", valid_fraction=0.2)).valid.tolist()


def test_a_given_split_without_test_or_without_parts_is_refused():
    with pytest.raises(DataError, match="leaves none for 'test'"):
        split(divided([3, 3], [0, 1, 0, 0, 0, 1]), Protocol(split="predefined"))
    with pytest.raises(SpaceError, match="this dataset did not") as error:
        split(by_user([3, 3]), Protocol(split="predefined"))
    assert error.value.field == "split"


def test_another_seed_gives_another_split():
    interactions = by_user([20, 20])
    assert split(interactions, Protocol(split_seed=1)).test.tolist() != split(interactions, Protocol(split_seed=2)).test.tolist()


def test_leave_one_out_takes_the_latest_by_time_then_by_row():
    interactions = by_user([4, 3, 2, 1], timestamp=[40, 30, 20, 10, 5, 5, 5, 2, 1, 9])
    parts = split(interactions, Protocol(split="leave_one_out"))
    assert parts.test.tolist() == [0, 6, 7]
    assert parts.valid.tolist() == [1, 5]
    without_time = split(by_user([4, 3, 2, 1]), Protocol(split="leave_one_out"))
    assert without_time.test.tolist() == [3, 6, 8]


def test_temporal_takes_the_newest_of_all():
    interactions = by_user([5, 5], timestamp=[9, 8, 7, 6, 5, 4, 3, 2, 1, 0])
    parts = split(interactions, Protocol(split="temporal", valid_fraction=0.2, test_fraction=0.3))
    assert (parts.test.tolist(), parts.valid.tolist()) == ([0, 1, 2], [3, 4])


def test_temporal_needs_time():
    with pytest.raises(SpaceError, match="timestamp") as caught:
        split(by_user([9, 9]), Protocol(split="temporal"))
    assert caught.value.field == "split"


def test_an_empty_part_is_an_error():
    with pytest.raises(DataError, match="leaves none for 'valid'"):
        split(by_user([2, 2]), Protocol(split="leave_one_out"))
