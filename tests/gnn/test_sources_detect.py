"""What a look at the head of a file says."""

from __future__ import annotations

import codecs
import gzip
import io
import tarfile
from typing import Any

import numpy as np
import pytest

from gnn.errors import DataError
from gnn.sources import Detected, detect, read
from gnn.sources.text import HEAD_BYTES


def look(content: bytes | str, filename: str = "data.csv", **choices: Any) -> Detected:
    return detect(io.BytesIO(content.encode() if isinstance(content, str) else content), filename, **choices)


def guessed(detected: Detected) -> dict[str, int]:
    return {role: guess.column for role, guess in detected.guesses.items()}


RATINGS = [("196", "242", "3", "881250949"), ("186", "302", "3", "891717742"), ("22", "377", "1", "878887116")]


@pytest.mark.parametrize("delimiter", ["::", "\t", ";", "|", ",", " "])
def test_it_finds_the_delimiter_and_roles_of_a_file_without_header(delimiter: str) -> None:
    detected = look("\n".join(delimiter.join(row) for row in RATINGS))
    assert detected.delimiter == delimiter
    assert not detected.has_header
    assert detected.rows == tuple(RATINGS)
    assert guessed(detected) == {"user": 0, "item": 1, "weight": 2, "timestamp": 3}
    assert detected.mapping().timestamp_unit == "s"


def test_names_beat_order_and_give_their_reason() -> None:
    detected = look("timestamp,rating,movieId,userId\n964982703,4.0,1,7\n964981247,4.5,3,7\n")
    assert detected.has_header
    assert guessed(detected) == {"user": 3, "item": 2, "weight": 1, "timestamp": 0}
    assert detected.guesses["user"].reason == "the column is named 'userId'"
    assert detected.guesses["user"].confidence == 0.95


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_chinese_names_are_understood(encoding: str) -> None:
    rows = "".join(f"张{at % 5},茶{at % 7},{at % 5},2023-01-{at % 28 + 1:02}\n" for at in range(40))
    detected = look(f"用户ID,商品编号,评分,下单时间\n{rows}".encode(encoding))
    assert (detected.has_header, detected.encoding) == (True, encoding)
    assert guessed(detected) == {"user": 0, "item": 1, "weight": 2, "timestamp": 3}
    assert {guess.confidence for guess in detected.guesses.values()} == {0.95}


def test_names_in_a_language_that_is_not_known_leave_it_to_values_and_order() -> None:
    detected = look("пользователь,фильм,оценка\n" + "".join(f"u{at % 5},i{at % 7},{at % 5}\n" for at in range(40)))
    assert guessed(detected) == {"user": 0, "item": 1, "weight": 2}
    assert {guess.confidence for guess in detected.guesses.values()} == {0.5}


def test_a_name_that_only_hints_is_less_certain() -> None:
    detected = look("ref_customer_key,main_article_no\na1,b2\na2,b3\n")
    assert guessed(detected) == {"user": 0, "item": 1}
    assert {guess.confidence for guess in detected.guesses.values()} == {0.75}
    assert detected.guesses["item"].reason == "the name 'main_article_no' contains 'article'"


def test_of_columns_named_alike_the_first_is_taken() -> None:
    rows = "".join(f"{at},{at + 1},{at + 2}\n" for at in range(30))
    assert guessed(look(f"user_id,item_idx,movie_id\n{rows}")) == {"user": 0, "item": 1}
    assert guessed(look(f"user_id,movie_id,item_idx\n{rows}")) == {"user": 0, "item": 1}


def test_a_feature_of_users_is_not_the_user() -> None:
    head = ",timestamp,item_id,click,user_feature_0,user-item_affinity_0"
    detected = look(f"{head}\n" + "".join(f"{at},{1_574_553_634 + at},{at % 7},{at % 2},a{at % 3},0.0\n" for at in range(30)))
    assert guessed(detected) == {"timestamp": 1, "item": 2, "label": 3}
    assert detected.kind.kind == "interactions"


def test_types_of_recbole_names_are_ignored() -> None:
    assert guessed(look("user_id:token\titem_id:token\trating:float\n1\t2\t3\n2\t3\t4\n")) == {"user": 0, "item": 1, "weight": 2}


def test_a_named_number_column_is_not_taken_for_a_weight_when_users_and_items_are_named() -> None:
    assert guessed(look("user,item,age\nu1,i1,33\nu2,i2,41\n")) == {"user": 0, "item": 1}


@pytest.mark.parametrize(("odd", "rows"), [(["many"], 10), (["many", "nan", "inf"], 300)])
def test_a_few_odd_values_do_not_keep_a_column_from_being_the_weight(odd: list[str], rows: int) -> None:
    detected = look(
        "user,item,rating\n" + "".join(f"u{at % 9},i{at},{at % 5}\n" for at in range(rows)) + "".join(f"u1,i1,{x}\n" for x in odd)
    )
    assert guessed(detected) == {"user": 0, "item": 1, "weight": 2}
    column = detected.columns[2]
    assert (column.is_number, column.odd, column.is_whole, column.low, column.high) == (True, len(odd), True, 0, 4)


def test_a_column_with_many_words_is_no_weight() -> None:
    detected = look("user,item,rating\n" + "".join(f"u{at % 9},i{at},{'good' if at % 20 == 0 else 3}\n" for at in range(200)))
    assert "weight" not in guessed(detected)
    assert (detected.columns[2].is_number, detected.columns[2].odd) == (False, 0)


def test_a_column_named_like_a_weight_but_holding_words_is_not_one() -> None:
    assert "weight" not in guessed(look("user,item,rating\nu1,i1,good\nu2,i2,bad\n"))


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        (["881250949", "891717742"], "s"),
        (["881250949.5", "891717742.25"], "s"),
        (["881250949000", "891717742000"], "ms"),
        (["881250949000000", "891717742000000"], "us"),
        (["1381250949000000000", "1391717742000000000"], "ns"),
        (["2013-04-07", "2013-04-08"], "iso"),
        (["2013-04-07T20:05:07Z", "2013-04-08 01:02"], "iso"),
    ],
)
def test_it_finds_the_unit_of_times(values: list[str], unit: str) -> None:
    detected = look("user,item,timestamp\n" + "".join(f"u{at},i{at},{value}\n" for at, value in enumerate(values)))
    assert detected.mapping().timestamp_unit == unit


def test_a_delimiter_at_the_end_of_each_line_does_not_hide_the_header() -> None:
    detected = look("user,item,rating,\n" + "".join(f"u{at % 9},i{at},{at % 5},\n" for at in range(40)))
    assert detected.has_header and guessed(detected) == {"user": 0, "item": 1, "weight": 2}
    assert not look("".join(f"u{at % 9},i{at},{at % 5},\n" for at in range(40))).has_header


def test_a_matrix_without_names_has_no_users_and_items_by_order() -> None:
    matrix = "".join(",".join(str((user * item) % 5) for item in range(40)) + "\n" for user in range(30))
    assert guessed(look(matrix)) == {}
    with pytest.raises(DataError, match="user"):
        look(matrix).mapping()


def test_large_ids_are_not_taken_for_times() -> None:
    assert guessed(look("9000000001,17\n9000000002,18\n9000000003,19\n")) == {"user": 0, "item": 1}


def test_semicolons_with_decimal_commas() -> None:
    detected = look("user;item;rating\nu1;i1;3,5\nu2;i2;4,0\n")
    assert detected.delimiter == ";"
    assert detected.mapping().decimal == ","


def test_commas_win_over_bars_inside_a_field() -> None:
    assert look("1,Comedy|Drama,5\n2,Action|Crime,4\n").delimiter == ","


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_a_byte_order_mark_is_no_part_of_the_first_name(mark: bytes) -> None:
    detected = look(mark + "user,item\nü1,i1\nü2,i2\n".encode())
    assert detected.encoding == "utf-8"
    assert [column.name for column in detected.columns] == ["user", "item"]
    assert detected.rows[0] == ("ü1", "i1")


def test_utf_16_and_latin_1_are_recognised() -> None:
    assert look("user\titem\nü1\ti1\nü2\ti2\n".encode("utf-16")).encoding == "utf-16"
    assert look("user\titem\nü1\ti1\nü2\ti2\n".encode("latin-1")).encoding == "latin-1"


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["Ä", "用户的名字很长"])
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_utf_16_without_a_mark_is_recognised_in_both_orders(codec: str, name: str, line_break: str) -> None:
    text = line_break.join(["user,item,rating", *(f"{name}{at % 9},i{at},{at % 5}" for at in range(40))]) + line_break
    detected = look(text.encode(codec))
    assert detected.encoding == "utf-16"
    assert guessed(detected) == {"user": 0, "item": 1, "weight": 2}
    interactions, rejects = read(io.BytesIO(text.encode(codec)), detected.mapping(), "data.csv")
    assert rejects.total == 0
    assert interactions.user_ids.to_list() == [f"{name}{at}" for at in range(9)]


def test_whole_numbers_of_two_bytes_are_not_taken_for_utf_16() -> None:
    with pytest.raises(DataError, match="is binary"):
        look(np.arange(4000, dtype="<i2").tobytes())


def test_one_damaged_line_does_not_make_the_file_latin_1() -> None:
    assert look(b"user,item\nu1,i1\nu\xff2,i2\nu3,i3\n").encoding == "utf-8"


def test_gzip_is_recognised_by_content_with_or_without_the_name() -> None:
    content = gzip.compress(b"user,item\nu1,i1\n")
    for filename in ("data.csv.gz", "data.csv"):
        detected = look(content, filename)
        assert detected.compression == "gzip"
        assert detected.rows == (("u1", "i1"),)


def test_quoted_fields_may_hold_the_delimiter() -> None:
    detected = look('user,item\n"Doe, Jane","say ""hi"""\nu2,i2\nu3,i3\n')
    assert detected.delimiter == ","
    assert detected.rows[0] == ("Doe, Jane", 'say "hi"')


def test_rows_that_run_over_lines_count_once() -> None:
    rows = "".join(f'u{at},i{at},"Great.\nReally, really\ngood, I say, and so on"\n' for at in range(20))
    detected = look('user,item,"text of\nreview"\n' + rows)
    assert detected.has_header
    assert [column.name for column in detected.columns] == ["user", "item", "text of\nreview"]
    assert len(detected.rows) == 10
    assert detected.rows[1] == ("u1", "i1", "Great.\nReally, really\ngood, I say, and so on")


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_break_works(break_: str) -> None:
    assert look(break_.join(["user,item", "u1,i1", "u2,i2"])).rows == (("u1", "i1"), ("u2", "i2"))


def test_a_row_cut_at_the_end_of_the_head_is_left_out() -> None:
    row = "some-user-with-a-long-id,some-item\n"
    detected = look(row * (HEAD_BYTES // len(row) + 2))
    assert {len(row) for row in detected.rows} == {2}
    assert detected.columns[1].distinct == 1


def test_delimiter_and_header_can_be_told() -> None:
    detected = look("a,b;c\nd,e;f\n", delimiter=",", has_header=True)
    assert [column.name for column in detected.columns] == ["a", "b;c"]
    assert detected.rows == (("d", "e;f"),)


def test_a_wrong_delimiter_is_told_and_not_fatal() -> None:
    detected = look("a;b\nc;d\n", delimiter=",", has_header=False)
    assert detected.problems == ("Divided by comma ,, the rows have a single column. Choose another delimiter.",)


def test_duplicate_names_are_told() -> None:
    detected = look("user,item,rating,rating\nu1,i1,3,4\nu2,i2,5,1\n")
    assert detected.problems == ("2 columns are named 'rating' (columns 3, 4). Look at their values before you choose.",)
    assert guessed(detected)["weight"] == 2


def test_a_header_shorter_than_the_rows_is_told() -> None:
    assert (
        look("user,item\n1,u1,i1\n2,u2,i2\n").problems[0].startswith("The header in line 1 names 2 column(s), but most rows have 3 fields.")
    )


def tarred(content: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo("data.csv")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


@pytest.mark.parametrize(
    ("content", "filename", "message"),
    [
        (b"", "empty.csv", "The file empty.csv is empty"),
        (b"\n \n\r\n", "blank.csv", "holds only blank lines"),
        (b"user,item\n", "header.csv", r"only a header \('user,item'\) and no rows"),
        (PNG, "cat.csv", "is a PNG picture, not a table"),
        (gzip.compress(PNG, mtime=0), "cat.csv.gz", "holds a PNG picture"),
        (b"PK\x03\x04rest", "book.zip", "zip file book.zip is incomplete or damaged"),
        (b"u1,i1\nu2\0,i2\n", "nul.csv", "binary: byte 9 is NUL"),
        (b"alpha\nbeta\ngamma\n", "one.csv", "single column: none of double colon ::, tab, .* divides its lines. Line 1 reads 'alpha'"),
        (b"u1,i1\n", "plain.csv.gz", "named .gz, but its content is not gzip"),
        (tarred(b"u1,i1\n"), "data.tar", "is a tar archive, not a table"),
        (gzip.compress(tarred(b"u1,i1\n"), mtime=0), "data.tar.gz", "holds a tar archive"),
        (b"\n<!DOCTYPE html>\n<html><body>Sign in</body></html>\n", "data.csv", "is a web page, perhaps one that asks to sign in"),
        (codecs.BOM_UTF8 + b"<?xml version='1.0'?>\n<rows><row user='1'/></rows>\n", "data.csv", "is XML, not a table"),
        (gzip.compress(b"u1,i1\nu2,i2\n" * 50, mtime=0)[:-9], "cut.csv.gz", "ends too early"),
        (gzip.compress(b"u1,i1\nu2,i2\n", mtime=0)[:-8] + b"\xff" * 8, "bad.csv.gz", "damaged"),
        (gzip.compress(b"", mtime=0), "nothing.csv.gz", "holds no text at all"),
        (("1," * 100_000 + "1\n").encode() * 2, "wide.csv", "100,001 columns, more than 1,000"),
    ],
)
def test_a_file_that_can_never_be_read_is_refused_with_what_to_do(content: bytes, filename: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        look(content, filename)
