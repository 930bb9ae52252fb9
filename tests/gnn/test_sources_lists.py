"""Lists of items, one user a line."""

from __future__ import annotations

import io

import numpy as np

from gnn.sources import Mapping, detect, read, text
from gnn.sources.rejects import Reason
from tests.gnn.test_sources_read import rows_of


def test_lists_of_items_give_a_row_for_each_item() -> None:
    content = b"0 5 7  5\n\n1 2\n2\n3 9 \r\nu\xff 1\n"
    detected = detect(io.BytesIO(content), "train.txt", source="adjacency")
    interactions, rejects = read(io.BytesIO(content), detected.mapping(), "train.txt")
    assert rows_of(interactions) == [("0", "5"), ("0", "7"), ("0", "5"), ("1", "2"), ("3", "9")]
    assert (rejects.rows_read, rejects.blank_lines) == (6, 1)
    assert rejects.counts == {Reason.UNDECODABLE: 1} and rejects.examples[Reason.UNDECODABLE][0].line == 6


def test_a_user_of_a_list_may_have_hundreds_of_thousands_of_items() -> None:
    sizes = [3, 200_000, 150_000, 1]
    lines = [f"{user} {' '.join(str(7_000_000 + item) for item in range(size))}\n" for user, size in enumerate(sizes)]
    assert len(lines[1]) > text.MAX_LINE_BYTES and len(lines[2]) > text.MAX_LINE_BYTES
    content = "".join(lines).encode()
    detected = detect(io.BytesIO(content), "train.txt")
    assert (detected.source, len(detected.rows)) == ("adjacency", 10)
    interactions, rejects = read(io.BytesIO(content), detected.mapping(), "train.txt")
    assert rejects.total == 0 and interactions.n_items == 200_000
    assert np.bincount(interactions.user).tolist() == sizes
    assert interactions.item_ids.gather(interactions.item[3:200_003]).to_list() == [str(7_000_000 + item) for item in range(200_000)]


def test_a_list_longer_than_any_user_has_rejects_itself_only() -> None:
    content = b"0 5 7\n1 " + b"1234567 " * (text.MAX_LIST_BYTES // 8) + b"\n2 4 5 6\n"
    interactions, rejects = read(io.BytesIO(content), Mapping.from_json({"source": "adjacency", "columns": {}}), "train.txt")
    assert rows_of(interactions) == [("0", "5"), ("0", "7"), ("2", "4"), ("2", "5"), ("2", "6")]
    assert rejects.counts == {Reason.TOO_LONG: 1} and rejects.examples[Reason.TOO_LONG][0].line == 2


def test_lists_of_items_are_detected_by_their_uneven_lines() -> None:
    assert detect(io.BytesIO(b"0 5 7\n1 2\n2 4 5 6\n"), "train.txt").source == "adjacency"
    for other in (b"0 5 7\n1 2 8\n2 4 5\n", b"0 5 7\n0 2\n2 4 5 6\n", b"0 a b\n1 c\n"):
        assert detect(io.BytesIO(other), "train.txt").source == "delimited"
