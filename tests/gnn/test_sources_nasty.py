"""Files as bad as they come: each is refused with a message, or every row of it is accounted for."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnn.errors import DataError
from gnn.profile import profile
from gnn.sources import Rejects, detect, read
from gnn.sources.mapping import Mapping
from gnn.sources.records import decode_lines, read_plain, read_steady
from gnn.sources.rejects import REASONS, Reason
from tests.gnn.test_sources_read import rows_of

HEADER = "user,item,rating,time\n"
GOOD = "".join(f"u{at % 5},i{at % 7},{at % 5},{1_300_000_000 + at}\n" for at in range(40))
ROLES = {"user": 0, "item": 1, "weight": 2, "timestamp": 3}


def account(content: bytes, **how: Any) -> tuple[list[tuple[Any, ...]], Rejects]:
    """Detect and read; whatever is kept and rejected adds up, in the counts and in the file of rejected rows."""
    detected = detect(io.BytesIO(content), "nasty.csv", **how)
    mapping = detected.mapping(ROLES if len(detected.columns) > 3 else {"user": 0, "item": 1})
    log = io.BytesIO()
    interactions, rejects = read(io.BytesIO(content), mapping, "nasty.csv", rejected=log)
    assert rejects.rows_read == rejects.rows_kept + rejects.total
    assert rejects.rows_kept == len(interactions)
    logged = list(csv.reader(io.StringIO(log.getvalue().decode())))
    assert len(logged) == 1 + rejects.total
    assert {row[2] for row in logged[1:]} == {REASONS[reason] for reason in rejects.counts}
    profile(interactions, rejects)
    return rows_of(interactions), rejects


@pytest.mark.parametrize(
    ("rows", "kept", "counts"),
    [
        ("u1,i1,3\nu2,i2,3,1,extra\n", 0, {Reason.FIELD_COUNT: 2}),
        ('u1,"i1,3\n', 0, {Reason.OPEN_QUOTE: 1}),
        ("u1,i1,nan,1\nu1,i1,-inf,1\nu1,i1,Infinity,1\n", 0, {Reason.WEIGHT_NOT_FINITE: 3}),
        ("u1,i1,3,99999999999999999999999\nu1,i1,3,-99999999999999999999\n", 0, {Reason.TIMESTAMP_NOT_READABLE: 2}),
        ("u1,i1,3,-5\n", 1, {}),
        ("99999999999999999999999999,18446744073709551616,3,1\n", 1, {}),
        ("=cmd(),<script>alert(1)</script>,3,1\n😀,\u202egnp.exe,3,1\n", 2, {}),
        (f"{'x' * 10_000},{'y' * 10_000},3,1\n", 1, {}),
        (f"{'x' * 10_000_000},i,3,1\nu,i,3,1\n", 1, {Reason.TOO_LONG: 1}),
        ("u1,i1,3,1\r\nu2,i2,3,1\ru3,i3,3,1\n\r\n\n", 3, {}),
        (",,,\n , ,3,1\n", 0, {Reason.MISSING_USER: 2}),
        ("u1," * 100_000 + "1\n", 0, {Reason.FIELD_COUNT: 1}),
        ("user,item,rating,time\n", 0, {Reason.WEIGHT_NOT_NUMBER: 1}),
    ],
    ids=["ragged", "quote", "nan", "huge times", "negative time", "huge ids", "odd ids", "10 kB ids", "10 MB cell", "line breaks", "empty",
         "100,000 columns", "header again"],
)  # fmt: skip
def test_nasty_rows_among_good_ones(rows: str, kept: int, counts: dict[Reason, int]) -> None:
    for content in (HEADER + GOOD + rows, HEADER + rows + GOOD):
        if rows.startswith(('u1,"i1', "u1,u1,")) and content.startswith(HEADER + rows):
            continue  # what an open quotation mark or a row of many fields at the top means is for detection's tests
        found, rejects = account(content.encode(), delimiter=",", has_header=True)
        assert rejects.counts == counts
        assert len(found) == 40 + kept


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER, "only a header"),
        (HEADER + ",,,\n" * 5, "None of the 5 rows can be used: 5 × missing user"),
        ("user,user,rating,time\n" + GOOD, ""),
        ("\x00\x01\x02" * 100, "is binary"),
        ("," * 100_000 + "\n" + "," * 100_000 + "\n", "100,001 columns"),
    ],
)
def test_files_of_which_nothing_is_left_say_why(content: str, message: str) -> None:
    if not message:  # equal names are told, and columns chosen by position
        detected = detect(io.BytesIO(content.encode()), "nasty.csv")
        assert "2 columns are named 'user'" in detected.problems[0]
        assert len(account(content.encode())[0]) == 40
        return
    with pytest.raises(DataError, match=message):
        account(content.encode())


CELL = st.one_of(
    st.sampled_from(
        ["", " ", "u1", "i 1", '"', '""', '"a"', "=1+1", "1e400", "nan", "-1", "\t", "\0", "é", "😀", "'", "\\", "1,5", "#", "\x1f"]
    ),
    st.text(max_size=6),
)
LINE_BREAK = st.sampled_from(["\n", "\r\n", "\r", "\n\n"])


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(st.lists(CELL, min_size=1, max_size=6), LINE_BREAK), min_size=1, max_size=12),
    delimiter=st.sampled_from([",", "\t", ";", "::", " ", "^"]),
    header=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-16", "latin-1", "gb18030"]),
)
def test_any_table_is_refused_or_accounted_for(rows: Any, delimiter: str, header: bool, encoding: str) -> None:
    content = "".join(delimiter.join(cells) + line_break for cells, line_break in rows).encode(encoding, errors="replace")
    try:
        account(content, delimiter=delimiter, has_header=header)
        account(content)
    except DataError as error:
        assert len(str(error)) > 20


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=300), filename=st.sampled_from(["a.csv", "a.csv.gz", "a.parquet", "a.json", "train.txt"]))
def test_any_bytes_are_refused_or_accounted_for(content: bytes, filename: str) -> None:
    for prefix in (
        b"",
        b"PAR1",
        b"\x1f\x8b\x08",
        b"PK\x03\x04",
        b"\x28\xb5\x2f\xfd",
        b"\xfd7zXZ\0",
        b'{"user": 1, "item": 2}\n',
        b'[{"user": 1, "item": 2},',
        b"\xff\xfe",
    ):
        try:
            detected = detect(io.BytesIO(prefix + content), filename)
            _, rejects = read(io.BytesIO(prefix + content), detected.mapping(), filename)
        except DataError:
            continue
        assert rejects.rows_read == rejects.rows_kept + rejects.total


PLAIN_CELL = st.text(st.characters(exclude_characters='\n\r"', exclude_categories=["Cs"]), max_size=4)


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.lists(PLAIN_CELL, min_size=3, max_size=3), min_size=1, max_size=8),
    spoil=st.sampled_from(["", "\n", "x\n", ",,,\n", "\0,,\n", " , \t,\n"]),
    delimiter=st.sampled_from([",", "\t", "::", ";"]),
)  # fmt: skip
def test_the_quick_way_to_divide_gives_what_the_careful_way_gives(rows: list[list[str]], spoil: str, delimiter: str) -> None:
    block = ("".join(delimiter.join(cells) + "\n" for cells in rows) + spoil).encode()
    wanted = {"user": 2, "item": 0}
    quick = read_steady(block, 5, delimiter, 3, wanted)
    lines, _ = decode_lines(block, 5)
    careful = read_plain(lines, delimiter, 3, wanted)
    if quick is None:
        return
    assert quick.table.rows() == careful.table.rows()
    assert (quick.rows, quick.blank_lines, careful.rejected) == (careful.rows, 0, {})


@pytest.mark.parametrize("block", [b",,\n,,,,\n\n", b"a,b,c\nd,e,f,g\nh,i\n", b",\n,,,\n"])
def test_a_line_with_too_many_fields_does_not_make_up_for_one_with_too_few(block: bytes) -> None:
    assert read_steady(block, 1, ",", 3, {"user": 2, "item": 0}) is None


def test_the_quick_way_is_taken_for_ordinary_blocks() -> None:
    for delimiter in (",", "\t", "::"):
        block = GOOD.replace(",", delimiter).encode()
        assert read_steady(block, 1, delimiter, 4, ROLES) is not None


def test_a_mapping_can_say_behaviour_and_domain_of_all_rows() -> None:
    how = {"has_header": True, "columns": {"user": 0, "item": 1}, "behaviour": "buy", "domain": "shop"}
    interactions, _ = read(io.BytesIO((HEADER + GOOD).encode()), Mapping.from_json(how), "d.csv")
    assert interactions.behaviour_names is not None and interactions.behaviour_names.to_list() == ["buy"]
    assert interactions.item_ids.to_list()[:2] == ["shop/i0", "shop/i1"]
    with pytest.raises(DataError, match="the behaviour is both a column and 'buy' for all rows"):
        Mapping.from_json(how | {"columns": {"user": 0, "item": 1, "behaviour": 2}})
