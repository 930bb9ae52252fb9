from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from gnn.errors import DataError
from gnn.loading import load
from gnn.protocol import Protocol
from gnn.sources.folders import part_of
from gnn.splits import split
from tests.gnn.toy import random_interactions

HEADER = "user,item,rating,timestamp\n"


def rows(n, first=0):
    return "".join(f"u{(first + row) % 5},i{row % 7},{row % 5 + 1},{1000000000 + first + row}\n" for row in range(n))


def test_a_table_is_split_as_the_protocol_says(tmp_path):
    file = tmp_path / "ratings.csv"
    file.write_text(HEADER + rows(35))
    loaded = load(file, Protocol(split="leave_one_out"))
    expected = split(loaded.interactions, Protocol(split="leave_one_out"))
    assert loaded.split.test.tolist() == expected.test.tolist()
    assert len(loaded.interactions) == 35


def test_a_folder_keeps_its_split_and_shares_ids(tmp_path):
    for part, (n, first) in {"train": (20, 0), "valid": (10, 3), "test": (11, 1)}.items():
        (tmp_path / f"{part}.csv").write_text(HEADER + rows(n, first))
    loaded = load(tmp_path, Protocol())
    interactions, parts = loaded.interactions, loaded.split
    assert [len(index) for index in (parts.train, parts.valid, parts.test)] == [20, 10, 11]
    ids = interactions.user_ids.gather(interactions.user).to_list()
    assert ids[:2] == ["u0", "u1"] and ids[20] == "u3" and ids[30] == "u1"
    assert interactions.n_users == 5 and interactions.n_items == 7
    assert interactions.weight[20:22].tolist() == [1, 2]
    assert interactions.timestamp[30] == 1000000001


def test_weights_that_a_part_lacks_are_left_out(tmp_path):
    for part in ("train", "valid"):
        (tmp_path / f"{part}.csv").write_text(HEADER + rows(20))
    (tmp_path / "test.csv").write_text("user,item\n" + "".join(f"u{row % 5},i{row % 7}\n" for row in range(12)))
    interactions = load(tmp_path, Protocol()).interactions
    assert interactions.weight is None and interactions.timestamp is None
    assert interactions.user.dtype == np.int32


def test_a_folder_without_validation_has_it_taken_from_training(tmp_path):
    (tmp_path / "train.csv").write_text(HEADER + rows(30))
    (tmp_path / "test.csv").write_text(HEADER + rows(10, 3))
    parts = load(tmp_path, Protocol(valid_fraction=0.2)).split
    assert [len(index) for index in (parts.train, parts.valid, parts.test)] == [25, 5, 10]
    assert parts.valid.max() < 30


def test_lists_of_items_are_a_split(tmp_path):
    (tmp_path / "train.txt").write_text("0 3 5 1\n1 2\n2 0 4\n3\n")
    (tmp_path / "test.txt").write_text("0 2\n1 5\n2 1\n")  # looks like pairs by itself
    loaded = load(tmp_path, Protocol(valid_fraction=0.4))
    interactions = loaded.interactions
    assert len(interactions) == 9 and interactions.n_users == 3 and interactions.n_items == 6
    test = loaded.split.test
    pairs = zip(interactions.user_ids.gather(interactions.user[test]), interactions.item_ids.gather(interactions.item[test]), strict=True)
    assert list(pairs) == [("0", "2"), ("1", "5"), ("2", "1")]


def test_a_missing_part_is_named(tmp_path):
    (tmp_path / "train.csv").write_text(HEADER + rows(20))
    with pytest.raises(DataError, match=r"has train\.csv, but no file for test"):
        load(tmp_path, Protocol())


def test_two_files_for_a_part_are_named(tmp_path):
    for name in ("train.csv", "test.csv", "test.tsv"):
        (tmp_path / name).write_text(HEADER + rows(20))
    with pytest.raises(DataError, match=r"more than one file for test: test\.csv and test\.tsv"):
        load(tmp_path, Protocol())


def test_a_folder_without_a_split_is_refused(tmp_path):
    (tmp_path / "ratings.csv").write_text(HEADER + rows(20))
    with pytest.raises(DataError, match="no files named train and test"):
        load(tmp_path, Protocol())


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("train.csv", "train"),
        ("test.txt.gz", "test"),
        ("Validation.parquet", "valid"),
        ("ml-1m.valid.inter", "valid"),
        ("test_original.txt", None),
        ("trainers.csv", None),
        ("ratings.csv", None),
    ],
)
def test_parts_are_known_by_name(name, part):
    assert part_of(name) == part


def test_a_table_that_recsmith_wrote_is_read_back_as_it_is(tmp_path):
    written = random_interactions(n_users=40, n_items=20)
    path = tmp_path / "interactions.parquet"
    written.to_parquet(path)
    found = load(path, Protocol())
    for name in ("user", "item", "weight", "timestamp"):
        np.testing.assert_array_equal(getattr(found.interactions, name), getattr(written, name))
    assert found.interactions.user_ids.to_list() == written.user_ids.to_list()
    np.testing.assert_array_equal(found.split.test, split(written, Protocol()).test)


def test_any_other_parquet_file_is_read_as_a_table_with_columns(tmp_path):
    written = random_interactions(n_users=40, n_items=20)
    path = tmp_path / "others.parquet"
    pl.DataFrame({"user": written.user, "item": written.item}).write_parquet(path)
    assert load(path, Protocol()).interactions.user_ids.to_list() != written.user_ids.to_list()  # in the order they come in
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError):
        load(path, Protocol())
