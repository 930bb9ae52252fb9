"""Rows out of files: what is kept is exact, what is rejected is counted and shown."""

from __future__ import annotations

import csv
import gzip
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnn.errors import DataError
from gnn.interactions import Interactions
from gnn.sources import Mapping, Rejects, detect, read, text
from gnn.sources.rejects import Example, Reason


def mapping(*roles: str, **settings: Any) -> Mapping:
    columns = {role: at for at, role in enumerate(roles)}
    return Mapping.from_json({"delimiter": ",", "has_header": False, "columns": columns} | settings)


def rows_of(interactions: Interactions) -> list[tuple[Any, ...]]:
    columns: list[Any] = [interactions.user_ids.gather(interactions.user), interactions.item_ids.gather(interactions.item)]
    columns += [column for column in (interactions.weight, interactions.timestamp) if column is not None]
    return [tuple(value.item() if isinstance(value, np.generic) else value for value in row) for row in zip(*columns, strict=True)]


def load(content: str | bytes, how: Mapping) -> tuple[list[tuple[Any, ...]], Rejects]:
    interactions, rejects = read(io.BytesIO(content.encode() if isinstance(content, str) else content), how, "data.csv")
    assert rejects.rows_read == rejects.rows_kept + rejects.total
    assert rejects.rows_kept == len(interactions)
    return rows_of(interactions), rejects


def test_ids_stay_as_written_but_for_surrounding_blanks() -> None:
    rows, _ = load("007, The Blob \n7,the blob\n\t7.0 ,NaN\n", mapping("user", "item"))
    assert rows == [("007", "The Blob"), ("7", "the blob"), ("7.0", "NaN")]


def test_codes_follow_first_appearance() -> None:
    interactions, _ = read(io.BytesIO(b"b,x\na,y\nb,y\n"), mapping("user", "item"), "data.csv")
    assert interactions.user.tolist() == [0, 1, 0]
    assert interactions.item.tolist() == [0, 1, 1]
    assert interactions.user_ids.to_list() == ["b", "a"]
    assert interactions.user.dtype == np.int32


NASTY = """user,item,rating,time
u1,i1,4,100
,i2,4,100
u3,,4,100
u4,i4,,100
u5,i5,four,100
u6,i6,inf,100
u7,i7,1e39,100

u8,i8,4,
u9,i9,4,yesterday
u10,i10,4
u11,i11,4,100,extra
u12,i12,-0.5,-1
"""


def test_every_rejected_row_is_counted_by_reason_with_line_column_and_text() -> None:
    how = mapping("user", "item", "weight", "timestamp", has_header=True)
    rows, rejects = load(NASTY, how)
    assert rows == [("u1", "i1", 4.0, 100), ("u12", "i12", -0.5, -1)]
    assert (rejects.rows_read, rejects.rows_kept, rejects.blank_lines) == (12, 2, 1)
    assert rejects.counts == {
        Reason.FIELD_COUNT: 2,
        Reason.MISSING_USER: 1,
        Reason.MISSING_ITEM: 1,
        Reason.MISSING_WEIGHT: 1,
        Reason.WEIGHT_NOT_NUMBER: 1,
        Reason.WEIGHT_NOT_FINITE: 2,
        Reason.MISSING_TIMESTAMP: 1,
        Reason.TIMESTAMP_NOT_READABLE: 1,
    }
    assert rejects.examples[Reason.FIELD_COUNT] == [Example(12, None, "u10,i10,4"), Example(13, None, "u11,i11,4,100,extra")]
    assert rejects.examples[Reason.WEIGHT_NOT_NUMBER] == [Example(6, "rating", "four")]
    assert rejects.examples[Reason.WEIGHT_NOT_FINITE] == [Example(7, "rating", "inf"), Example(8, "rating", "1e39")]
    assert rejects.examples[Reason.TIMESTAMP_NOT_READABLE] == [Example(11, "time", "yesterday")]


def test_only_the_first_five_examples_of_a_reason_are_kept() -> None:
    _, rejects = load("u,i\n" + ",i\n" * 100, mapping("user", "item"))
    assert rejects.counts == {Reason.MISSING_USER: 100}
    assert [example.line for example in rejects.examples[Reason.MISSING_USER]] == [2, 3, 4, 5, 6]


def test_undecodable_bytes_reject_their_row_only() -> None:
    good = b"u1,i1\n" * (text.HEAD_BYTES // 6 + 1)  # a NUL in the head would say that the file is binary
    rows, rejects = load(good + b"u\xff2,i2\nu3,i\x003\nu4,i4\n", mapping("user", "item"))
    assert rows[-2:] == [("u1", "i1"), ("u4", "i4")]
    line = good.count(b"\n")
    assert rejects.examples == {Reason.UNDECODABLE: [Example(line + 1, None, "u\\xff2,i2"), Example(line + 2, None, "u3,i\\x003")]}


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-8"])
def test_other_encodings_are_read(encoding: str) -> None:
    rows, rejects = load("é1,ü1\né2,ü2\n".encode(encoding), mapping("user", "item", encoding=encoding))
    assert rows == [("é1", "ü1"), ("é2", "ü2")]
    assert rejects.total == 0


def test_double_colons_divide_and_quotes_mean_nothing_there() -> None:
    rows, rejects = load('1::"Heroes"::5\n2::a:b::4\n3::x\n', mapping("user", "item", "weight", delimiter="::"))
    assert rows == [("1", '"Heroes"', 5.0), ("2", "a:b", 4.0)]
    assert rejects.counts == {Reason.FIELD_COUNT: 1}


def test_runs_of_spaces_are_one_delimiter() -> None:
    assert load("u1  i1 3\n u2 i2   4 \n", mapping("user", "item", "weight", delimiter=" "))[0] == [("u1", "i1", 3.0), ("u2", "i2", 4.0)]


def test_a_quoted_field_may_run_over_lines() -> None:
    rows, rejects = load('u1,"a\n\nb, ""c"""\nu2,d\n', mapping("user", "item"))
    assert rows == [("u1", 'a\n\nb, "c"'), ("u2", "d")]
    assert (rejects.rows_read, rejects.blank_lines) == (2, 0)


def test_a_stray_quote_swallows_no_other_row() -> None:
    content = 'u1\t"Heroes\nu2\t5" disk\nu3\t"x\ty\nu4\tplain\n'
    rows, rejects = load(content, mapping("user", "item", delimiter="\t"))
    assert rows == [("u1", '"Heroes'), ("u2", '5" disk'), ("u4", "plain")]
    assert rejects.examples == {Reason.OPEN_QUOTE: [Example(3, None, 'u3\t"x\ty')]}


def test_a_quoted_field_may_run_over_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "HEAD_BYTES", 16)
    monkeypatch.setattr(text, "BLOCK_BYTES", 7)
    content = "".join(f'u{at},"item\n{at}"\r\n' for at in range(50))
    rows, rejects = load(content, mapping("user", "item"))
    assert rows == [(f"u{at}", f"item\n{at}") for at in range(50)]
    assert rejects.rows_read == 50


def test_line_numbers_stay_right_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "HEAD_BYTES", 64)
    monkeypatch.setattr(text, "BLOCK_BYTES", 10)
    content = "user,item\r\n" + "".join("u,i\r\n" if at != 77 else "oops\r\n" for at in range(100))
    _, rejects = load(content, mapping("user", "item", has_header=True))
    assert rejects.examples == {Reason.FIELD_COUNT: [Example(79, None, "oops")]}
    assert rejects.rows_kept == 99


@pytest.mark.parametrize(
    ("unit", "written", "seconds"),
    [
        ("s", "881250949", 881250949),
        ("s", "881250949.9", 881250949),
        ("s", "8.81250949e8", 881250949),
        ("s", "-1.5", -2),
        ("ms", "881250949999", 881250949),
        ("us", "881250949999999", 881250949),
        ("ns", "1381250949999999999", 1381250949),
        ("iso", "1970-01-02", 86400),
        ("iso", "1970/1/2", 86400),
        ("iso", "1970-01-01T00:01:02Z", 62),
        ("iso", "1970-01-01 00:01:02.999", 62),
        ("iso", "1970-01-01T02:00:00+02:00", 0),
        ("iso", "1970-01-01 00:00-0130", 5400),
        ("iso", "2024-02-29 23:59:59 UTC", 1709251199),
    ],
)
def test_times_become_seconds(unit: str, written: str, seconds: int) -> None:
    rows, _ = load(f'u,i,"{written}"\n', mapping("user", "item", "timestamp", timestamp_unit=unit))
    assert rows == [("u", "i", seconds)]


@pytest.mark.parametrize("written", ["2023-02-29", "2023-13-01", "2023-01-01 25:00", "01/02/2023", "soon", "1e300", "nan"])
def test_unreadable_times_are_rejected(written: str) -> None:
    for unit in ("iso", "s"):
        _, rejects = load(
            f"u,i,{'1970-01-01' if unit == 'iso' else 5}\nu,i,{written}\n", mapping("user", "item", "timestamp", timestamp_unit=unit)
        )
        assert rejects.counts == {Reason.TIMESTAMP_NOT_READABLE: 1}


def test_decimal_commas() -> None:
    how = mapping("user", "item", "weight", delimiter=";", decimal=",")
    rows, rejects = load("u;i;3,5\nu;j;1.234,5\nu;k;2\n", how)
    assert rows == [("u", "i", 3.5), ("u", "k", 2.0)]
    assert rejects.counts == {Reason.WEIGHT_NOT_NUMBER: 1}


def test_columns_can_be_named() -> None:
    how = Mapping(delimiter=",", has_header=True, columns={"user": "who", "item": "what"})
    assert load("x,what,who\n0,i1,u1\n", how)[0] == [("u1", "i1")]


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("a,b\nu,i\n", {"user": "a", "item": "c"}, "There is no column 'c' for the item. The columns are 'a', 'b'."),
        ("a,b\nu,i\n", {"user": 0, "item": 2}, "There is no column 3 for the item: divided by comma ,, the rows have 2 column"),
        ("a;b\nu;i\n", {"user": 0, "item": 1}, "There is no column 2 for the item: divided by comma ,, the rows have 1 column"),
        ("a,b,b\nu,i,j\n", {"user": "a", "item": "b"}, "2 columns are named 'b' \\(columns 2, 3\\); choose the item by position"),
        ("a,b\nu,i\n", {"user": "a", "item": 0}, "Column 'a' cannot be both"),
        ("a\n1,u,i\n2,u,j\n", {"user": 1, "item": 2}, "The header in line 1 names 1 column"),
        ("a,b\n", {"user": "a", "item": "b"}, "only a header"),
        (
            "a,b\n,\n,i\n",
            {"user": "a", "item": "b"},
            "None of the 2 rows can be used: 2 × missing user \\(first at line 2, column a: ''\\)",
        ),
    ],
)
def test_a_mapping_that_does_not_fit_says_what_is_missing(content: str, columns: dict[str, Any], message: str) -> None:
    how = Mapping.from_json({"delimiter": ",", "has_header": True, "columns": columns})
    with pytest.raises(DataError, match=message):
        read(io.BytesIO(content.encode()), how, "data.csv")


def test_a_gzip_file_cut_after_its_head_is_refused() -> None:
    noise = np.random.default_rng(0).integers(0, 10**9, (60_000, 2))
    whole = gzip.compress("".join(f"{user},{item}\n" for user, item in noise).encode())
    file = io.BytesIO(whole[:-1000])
    detect(file, "data.csv.gz")
    with pytest.raises(DataError, match="The gzip file data.csv.gz ends too early: it is incomplete"):
        read(file, mapping("user", "item"), "data.csv.gz")


@pytest.mark.parametrize("sizes", [(3_000_000,), (10_000_000,), (1_048_577,), (2_000_000, 5, 3_000_000)])
@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_a_line_that_is_too_long_rejects_itself_only(sizes: tuple[int, ...], line_break: str) -> None:
    lines = ["u1,i1", "u2,i2", "u3,i3", *("x" * size for size in sizes), "u4,i4", "u5,i5"]
    rows, rejects = load(line_break.join(lines), mapping("user", "item"))
    assert rows == [(f"u{at}", f"i{at}") for at in range(1, 6)]
    long = [at for at, line in enumerate(lines, start=1) if len(line) > text.MAX_LINE_BYTES]
    assert rejects.counts[Reason.TOO_LONG] == len(long)
    assert [example.line for example in rejects.examples[Reason.TOO_LONG]] == long
    assert rejects.examples[Reason.TOO_LONG][0].text == "x" * 200


def test_a_line_of_just_the_allowed_length_is_read() -> None:
    rows, _ = load("u1,i1\nu2," + "x" * (text.MAX_LINE_BYTES - 3) + "\n", mapping("user", "item"))
    assert rows[1][1] == "x" * (text.MAX_LINE_BYTES - 3)


ID = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1).filter(
    lambda value: value == value.strip(" \t")
)
ROWS = st.lists(st.tuples(ID, ID, st.floats(width=32, allow_nan=False, allow_infinity=False), st.integers(-(10**10), 10**11)), min_size=1)


@given(
    rows=ROWS,
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    header=st.booleans(),
    packed=st.booleans(),
    break_=st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=200)
def test_what_a_csv_writer_writes_is_read_back(
    rows: list[tuple[str, str, float, int]], delimiter: Any, header: bool, packed: bool, break_: str
) -> None:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator=break_, quoting=csv.QUOTE_ALL)
    writer.writerows([("user", "item", "weight", "time")] * header + rows)  # type: ignore[operator]
    content = file.getvalue().encode()
    how = mapping("user", "item", "weight", "timestamp", delimiter=delimiter, has_header=header)
    found, rejects = load(gzip.compress(content) if packed else content, how)
    assert rejects.total == 0
    assert found == [(user, item, np.float32(weight).item(), time) for user, item, weight, time in rows]


@given(content=st.binary(max_size=400), delimiter=st.sampled_from([",", "::", " ", "\t"]), header=st.booleans())
@settings(max_examples=300)
def test_any_bytes_are_either_refused_or_fully_accounted_for(content: bytes, delimiter: Any, header: bool) -> None:
    try:
        load(content, mapping("user", "item", "weight", delimiter=delimiter, has_header=header))
    except DataError as error:
        assert str(error)


@given(
    st.lists(
        st.sampled_from(["u,i,1", '"u,i,1', 'u,"i",1', '"u\n', '",1,2', "", "a,b", ",,", 'u,i"j",2', "\udcff"]), min_size=1, max_size=12
    )
)
@settings(max_examples=300)
def test_rows_never_get_lost_between_quotes(lines: list[str]) -> None:
    content = "\n".join(["u,i,1"] * 30 + lines).encode(errors="surrogateescape")
    rows, _ = load(content, mapping("user", "item", "weight"))
    assert rows[:30] == [("u", "i", 1.0)] * 30


def test_mapping_round_trips_through_json_and_checks_itself() -> None:
    how = mapping("user", "item", "weight", "timestamp", delimiter="::", timestamp_unit="iso", decimal=",")
    assert Mapping.from_json(how.to_json()) == how
    named = Mapping(delimiter=",", has_header=True, columns={"user": "3", "item": 3})
    assert Mapping.from_json(named.to_json()) == named
    for document, message in [
        ({"columns": {"user": 0}}, "choose the column that holds the item"),
        ({"columns": {"user": 0, "item": 0}}, "column 0 cannot be both user and item"),
        ({"columns": {"user": 0, "item": -1}}, "column positions start at 0"),
        ({"delimiter": "x"}, "delimiter"),
        ({"colour": "red"}, "colour"),
    ]:
        with pytest.raises(DataError, match=message):
            Mapping.from_json(how.to_json() | document)
