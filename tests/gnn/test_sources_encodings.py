"""Text in every encoding, with and without marks, reads the same; what is no text is refused."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest

from gnn.errors import DataError
from gnn.sources import detect, read
from gnn.sources.rejects import Reason
from tests.gnn.test_sources_formats import ROWS, as_json, as_text, look_and_read


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-32-le", "utf-32-be", "gb18030"])
def test_it_finds_the_encoding(encoding: str) -> None:
    rows = [(f"用户{at % 7}", f"商品{at % 11}", at % 5 / 2, 1_300_000_000 + at) for at in range(40)]
    detected, found = look_and_read(as_text(rows).encode(encoding))
    assert found == rows
    assert detected.encoding == re.sub("-(sig|le|be)$", "", encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("marks", [1, 2, 3])
def test_no_byte_order_mark_at_the_start_is_part_of_the_first_name(encoding: str, marks: int) -> None:
    content = ("\ufeff" * marks + as_text(ROWS)).encode(encoding)
    detected, rows = look_and_read(content)
    assert rows == ROWS and detected.encoding == re.sub("-(le|be)$", "", encoding)
    assert detected.columns[0].name == detect(io.BytesIO(as_text(ROWS).encode()), "data.csv").columns[0].name
    _, rows = look_and_read(("\ufeff" * marks + as_json(ROWS)).encode(encoding), "data.json")
    assert rows == ROWS


def test_what_windows_writes_beyond_latin_1_is_text() -> None:
    rows = [(f"Renée’s “{at % 7}”", f"€ {at % 11} – naïve…", 1.0, 1_300_000_000 + at) for at in range(40)]
    detected, found = look_and_read(as_text(rows).encode("cp1252"))
    assert detected.encoding == "latin-1" and found == rows and detected.rows[1][0] == "Renée’s “1”"
    # What Windows gives no sign stays the sign of Latin-1 that it is.
    _, found = look_and_read(b"user,item\n" + b"".join(b"\x81\xe9%d,i%d\n" % (at, at) for at in range(20)))
    assert found[0] == ("\x81é0", "i0")


def test_what_is_cut_within_a_sign_of_utf_32_rejects_its_row_only() -> None:
    content = as_text(ROWS).encode("utf-32-be")[:-2]
    detected = detect(io.BytesIO(content), "data.csv")
    _, rejects = read(io.BytesIO(content), detected.mapping(), "data.csv")
    assert (rejects.rows_kept, rejects.counts) == (len(ROWS) - 1, {Reason.UNDECODABLE: 1})


@pytest.mark.parametrize("dtype", ["<i4", ">i4", "<f4"])
def test_arrays_of_numbers_are_not_taken_for_text(dtype: str) -> None:
    for numbers in (range(1, 5000), np.random.default_rng(0).integers(1, 200, 5000), [1, 5, 4, 3] * 400, [10, 14, 70] * 400):
        with pytest.raises(DataError, match="is binary"):
            detect(io.BytesIO(np.asarray(numbers).astype(dtype).tobytes()), "data.csv")


def test_accents_of_latin_1_are_not_taken_for_chinese() -> None:
    rows = [(f"Amélie{at % 7}", f"Fantômas à l'été {at % 11}", 1.0, 1_300_000_000 + at) for at in range(40)]
    detected, found = look_and_read(as_text(rows).encode("latin-1"))
    assert detected.encoding == "latin-1" and found == rows


def test_a_damaged_row_of_another_encoding_is_rejected_alone() -> None:
    content = "".join(f"用户{at},商品{at}\n" for at in range(40)).encode("gb18030").replace("用户7,".encode("gb18030"), b"\xff\xff7,")
    detected = detect(io.BytesIO(content), "data.csv")
    interactions, rejects = read(io.BytesIO(content), detected.mapping(), "data.csv")
    assert len(interactions) == 39 and rejects.counts == {Reason.UNDECODABLE: 1}
    assert rejects.examples[Reason.UNDECODABLE][0].line == 8
