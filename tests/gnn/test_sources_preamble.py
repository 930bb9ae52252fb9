"""What stands above a table: found, left out, never counted as a row, and never a row left out."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnn.errors import DataError
from gnn.sources import Detected, Rejects, detect, read
from gnn.sources.rejects import Example, Reason
from tests.gnn.test_sources_read import rows_of

ROWS = [(f"u{at % 5}", f"i{at % 7}", float(at % 5 + 1)) for at in range(20)]


def table(delimiter: str = ",", *, header: str = "user,item,rating") -> str:
    lines = [header.replace(",", delimiter)] if header else []
    return "".join(f"{line}\n" for line in [*lines, *(delimiter.join((user, item, f"{weight:g}")) for user, item, weight in ROWS)])


def look_and_read(content: str | bytes, **told: Any) -> tuple[Detected, list[tuple[Any, ...]], Rejects]:
    data = content.encode() if isinstance(content, str) else content
    detected = detect(io.BytesIO(data), "export.csv", **told)
    interactions, rejects = read(io.BytesIO(data), detected.mapping({"user": 0, "item": 1, "weight": 2}), "export.csv")
    assert rejects.rows_read == rejects.rows_kept + rejects.total
    return detected, rows_of(interactions), rejects


PREAMBLES = {
    "sep": ("sep=,\n", 1),
    "quoted sep": ('"sep=,"\n', 1),
    "comments": ("# exported by shop 4.2\n#\n# 20 rows, 3 columns, no nulls\n", 3),
    "percent": ("% bip weighted\n% 20 5 7\n", 2),
    "title": ("Sales report 2024\n", 1),
    "title and blank lines": ("Sales report 2024\n\n\n", 3),
    "titles with delimiters": ("Sales report, 2024\nshop 1, 2 and 3\n\n", 3),
    "padded titles": ("Sales report 2024,,\n,,\n", 2),
    "blank lines first": ("\n\nSales report 2024\n", 3),
    "all of them": ("sep=,\n# exported\nSales report\n\n", 4),
    "a quotation mark": ('Sales of 5" disks\n', 1),
}


@pytest.mark.parametrize("preamble", PREAMBLES)
@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_it_is_left_out_and_rows_are_told_by_their_lines(preamble: str, line_break: str, encoding: str) -> None:
    text, n_lines = PREAMBLES[preamble]
    content = (text + table() + "u1,,3\nu2\n").replace("\n", line_break).encode(encoding)
    detected, rows, rejects = look_and_read(content)
    assert (detected.skip_lines, detected.has_header, detected.delimiter) == (n_lines, True, ",")
    assert detected.skipped == tuple(line for line in text.split("\n") if line)
    assert [column.name for column in detected.columns] == ["user", "item", "rating"]
    assert rows == ROWS
    assert (rejects.rows_read, rejects.blank_lines) == (22, 0)
    first = n_lines + 1 + len(ROWS) + 1
    assert rejects.examples[Reason.MISSING_ITEM] == [Example(first, "item", "")]
    assert rejects.examples[Reason.FIELD_COUNT] == [Example(first + 1, None, "u2")]


@pytest.mark.parametrize("text", ["% bip weighted\n% 20 5 7\n", "# exported by shop 4.2\n\n", "Exported\n\n"])
def test_a_table_without_header_may_have_lines_above_it(text: str) -> None:
    for delimiter in (" ", "\t", ";"):
        detected, rows, rejects = look_and_read(text + table(delimiter, header=""))
        assert (detected.delimiter, detected.has_header, detected.skip_lines) == (delimiter, False, text.count("\n"))
        assert rows == ROWS and rejects.total == 0


def test_the_sign_said_for_excel_divides_even_where_another_would() -> None:
    detected, rows, _ = look_and_read("sep=^\nuser^item^rating\n" + "".join(f"a,{u}^b,{i}^{w}\n" for u, i, w in ROWS))
    assert detected.delimiter == "^" and rows[0] == ("a,u0", "b,i0", 1.0)
    assert look_and_read("sep=\t\n" + table("\t"))[0].delimiter == "\t"
    assert look_and_read("sep=^\n" + table(), delimiter=",")[1] == ROWS  # what a person says goes before


@pytest.mark.parametrize("header", ["#user,item,rating", "# user,item,rating", "% user,item,rating", "## User ID,Item ID,Stars given"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_comment_that_names_the_columns_is_the_header(header: str, delimiter: str) -> None:
    detected, rows, _ = look_and_read("# from a crawl\n" + table(delimiter, header=header))
    assert (detected.skip_lines, detected.has_header) == (1, True)
    assert [column.name for column in detected.columns] == [name.strip("#% ") for name in header.split(",")]
    assert rows == ROWS


def test_a_comment_divided_by_blanks_may_be_the_header_too() -> None:
    detected, rows, _ = look_and_read("# user item rating\n" + table(" ", header=""))
    assert [column.name for column in detected.columns] == ["user", "item", "rating"] and rows == ROWS


def test_ids_that_start_like_a_comment_are_rows() -> None:
    for content in (
        "".join(f"#{user},{item},{weight:g}\n" for user, item, weight in ROWS),
        "#u0,i0,3\n#u1,i1,4\n" + table(header=""),
        "#,user,item\n" + "".join(f"{at},{user},{item}\n" for at, (user, item, _) in enumerate(ROWS)),
    ):
        detected = detect(io.BytesIO(content.encode()), "export.csv")
        assert (detected.skip_lines, len(detected.columns)) == (0, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("user,item\n1,u1,i1\n2,u2,i2\n", "The header in line 1 names 2 column"),
        ("user,item,rating,time\n" + table(header=""), "The header in line 1 names 4 column"),
    ],
)
def test_a_header_of_the_wrong_length_is_not_taken_for_a_title(content: str, message: str) -> None:
    detected = detect(io.BytesIO(content.encode()), "export.csv")
    assert detected.skip_lines == 0 and detected.problems[0].startswith(message)


def test_a_ragged_first_row_is_rejected_and_not_left_out() -> None:
    detected, rows, rejects = look_and_read("u9,i9\n" + table(header=""), has_header=False)
    assert detected.skip_lines == 0 and rows == ROWS
    assert rejects.examples == {Reason.FIELD_COUNT: [Example(1, None, "u9,i9")]}


def test_a_sparse_matrix_has_one_line_more_above_it() -> None:
    entries = "".join(f"{row} {column} {row * column % 5 + 1}\n" for row in range(1, 6) for column in range(1, 8))
    content = f"%%MatrixMarket matrix coordinate integer general\n% by scipy\n5 7 35\n{entries}"
    interactions, rejects = read(io.BytesIO(content.encode()), detect(io.BytesIO(content.encode()), "r.mtx").mapping(), "r.mtx")
    assert (rejects.rows_read, rejects.total, interactions.n_users, interactions.n_items) == (35, 0, 5, 7)


def test_a_person_can_say_how_many_lines_are_above() -> None:
    content = "Report; of\nthe; shop\n" + table(";", header="") + "u1;;4\n"
    detected, rows, rejects = look_and_read(content, skip_lines=2)
    assert (detected.skipped, detected.has_header) == (("Report; of", "the; shop"), False)
    assert rows == ROWS and rejects.examples[Reason.MISSING_ITEM][0].line == 23
    assert look_and_read("sep=,\n" + table(), skip_lines=0, has_header=False, delimiter=",")[2].rows_read == 22
    with pytest.raises(DataError, match="no row below the first 99 line"):
        look_and_read(content, skip_lines=99)
    with pytest.raises(DataError, match="no row below the first 24 line"):
        read(io.BytesIO(content.encode()), detected.mapping().model_copy(update={"skip_lines": 24}), "export.csv")


def test_lines_above_do_not_end_with_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnn.sources.text.HEAD_BYTES", 64)
    monkeypatch.setattr("gnn.sources.text.BLOCK_BYTES", 8)
    content = "# exported\n# by a shop\n\n" + table() + "u1,,3\n"
    _, rows, rejects = look_and_read(content, skip_lines=3)
    assert rows == ROWS and rejects.examples[Reason.MISSING_ITEM][0].line == 25


LINE = st.one_of(
    st.sampled_from(["", " ", "sep=;", "#", "# user;item", "#user;item", "% 1 2 3", "Report", "Report; 2024", ";;", "user;item;rating"]),
    st.lists(st.sampled_from(["u1", "i1", "5", "", "#2", "3.5", "x y"]), min_size=1, max_size=4).map(";".join),
)


@settings(max_examples=300, deadline=None)
@given(lines=st.lists(LINE, min_size=1, max_size=12))
def test_every_line_is_above_the_table_or_accounted_for(lines: list[str]) -> None:
    content = "".join(f"{line}\n" for line in lines).encode()
    try:
        detected = detect(io.BytesIO(content), "export.csv", source="delimited")
        _, rejects = read(io.BytesIO(content), detected.mapping({"user": 0, "item": 1}), "export.csv")
    except DataError:
        return
    below = [line for line in lines[detected.skip_lines :] if line.strip(" ")]
    assert rejects.rows_read == rejects.rows_kept + rejects.total == len(below) - detected.has_header


def test_a_file_of_the_same_shape_is_read_by_its_own_lines_and_encoding() -> None:
    first = detect(io.BytesIO(("Report 1\n\n" + table()).encode()), "a.csv")
    second = detect(io.BytesIO(table().replace("u1", "ü1").encode("utf-16")), "b.csv")
    assert first.shape == second.shape
    adapted = second.adapted(first.mapping())
    assert (adapted.skip_lines, adapted.encoding, adapted.columns) == (0, "utf-16", first.mapping().columns)
