from __future__ import annotations

import numpy as np
import pytest

from gnn.errors import DataError
from gnn.loading import load
from gnn.protocol import Protocol
from gnn.splits import split

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


def test_a_missing_part_is_named(tmp_path):
    (tmp_path / "train.csv").write_text(HEADER + rows(20))
    with pytest.raises(DataError, match=r"valid\.csv cannot be read"):
        load(tmp_path, Protocol())
