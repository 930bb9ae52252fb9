"""The same rows, written in every format, encoding and compression, read back the same."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pyarrow
import pyarrow.parquet
import pytest

from gnn.errors import DataError
from gnn.sources import Detected, Limits, detect, json_lines, read, text
from gnn.sources.mapping import Mapping
from gnn.sources.rejects import Reason
from tests.gnn.test_sources_read import rows_of

ROWS = [(f"ü{at % 7}", f'電{at % 11} "x", y', at % 5 / 2, 1_300_000_000 + 86_400 * at) for at in range(40)]
PLAIN = [(f"u{at % 7}", f"i{at % 11}", at % 5 / 2, 1_300_000_000 + 86_400 * at) for at in range(40)]
NAMES = ("user_id", "item_id", "rating", "timestamp")


def as_text(rows: list[Any], *, delimiter: str = ",", header: bool = True) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerows(([NAMES] if header else []) + rows)
    return text.getvalue()


def as_json(rows: list[Any]) -> str:
    return "".join(json.dumps(dict(zip(NAMES, row, strict=True))) + "\n" for row in rows)


def as_parquet(rows: list[Any], **casts: Any) -> bytes:
    file = io.BytesIO()
    pl.DataFrame(rows, schema=list(NAMES), orient="row").cast(casts).write_parquet(file)
    return file.getvalue()


def zipped(content: bytes, *names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names or ("data.csv",):
            archive.writestr(name, content)
    return file.getvalue()


def zstandard(content: bytes) -> bytes:
    sink = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zip": zipped, "zst": zstandard, "xz": lzma.compress}


def look_and_read(content: bytes, filename: str = "data.csv", **told: Any) -> tuple[Detected, list[tuple[Any, ...]]]:
    detected = detect(io.BytesIO(content), filename, **told)
    interactions, rejects = read(io.BytesIO(content), detected.mapping(), filename)
    assert rejects.rows_read == rejects.rows_kept + rejects.total
    return detected, rows_of(interactions)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "~", "\x01", "§"])
@pytest.mark.parametrize("header", [True, False])
def test_any_delimiter_is_found(delimiter: str, header: bool) -> None:
    detected, rows = look_and_read(as_text(PLAIN, delimiter=delimiter, header=header).encode())
    assert (detected.delimiter, detected.has_header, rows) == (delimiter, header, PLAIN)


def test_a_letter_or_a_quotation_mark_cannot_divide() -> None:
    for delimiter in ("a", '"', "", ",,", "\n", "1"):
        with pytest.raises(DataError, match="a delimiter is"):
            Mapping.from_json({"delimiter": delimiter, "columns": {"user": 0, "item": 1}})


def test_recbole_files_are_known_by_their_types() -> None:
    text = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + as_text(PLAIN, delimiter="\t", header=False)
    detected, rows = look_and_read(text.encode(), "ml.inter")
    assert rows == PLAIN
    assert (detected.label, detected.kind.kind) == ("RecBole atomic file", "interactions")


def test_json_lines_are_read_with_nested_members_and_long_numbers() -> None:
    big = 123456789012345678901234567890
    lines = [{"who": {"user_id": big + at}, "asin": at, "overall": 4.5, "time": 1_300_000_000, "tags": ["a", "b"]} for at in range(3)]
    detected, rows = look_and_read("".join(json.dumps(line) + "\n" for line in lines).encode(), "r.json")
    assert detected.source == "json_lines"
    assert [column.name for column in detected.columns] == ["who.user_id", "asin", "overall", "time", "tags"]
    assert detected.rows[0][4] == "a|b"
    assert rows == [(str(big + at), str(at), 4.5, 1_300_000_000) for at in range(3)]


def test_json_lines_count_what_is_no_object() -> None:
    text = (
        as_json(PLAIN[:2]) + 'nonsense\n[1, 2]\n\n{"user_id": "u9"}\n{"user_id": "u\\u0000", "item_id": "i", "rating": 1, "timestamp": 1}\n'
    )
    text += '{"user_id": "\\ud800", "item_id": "i", "rating": 1, "timestamp": 1}\n' + as_json(PLAIN[2:3])
    mapping = detect(io.BytesIO(text.encode()), "r.json").mapping({"user": 0, "item": 1, "weight": 2, "timestamp": 3})
    interactions, rejects = read(io.BytesIO(text.encode()), mapping, "r.json")
    assert rows_of(interactions) == PLAIN[:3]
    assert rejects.counts == {Reason.NOT_JSON: 2, Reason.MISSING_ITEM: 1, Reason.UNDECODABLE: 2}
    assert (rejects.rows_read, rejects.blank_lines) == (8, 1)
    assert [example.line for example in rejects.examples[Reason.NOT_JSON]] == [3, 4]


def records_of(rows: list[Any]) -> list[dict[str, Any]]:
    return [dict(zip(NAMES, row, strict=True)) for row in rows]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_json_array_is_read_as_its_objects(indent: int | None, encoding: str) -> None:
    content = json.dumps(records_of(ROWS), indent=indent, ensure_ascii=False).encode(encoding)
    detected, rows = look_and_read(content, "r.json")
    assert (detected.source, detected.label, detected.confidence) == ("json_lines", "JSON array", 1.0)
    assert rows == ROWS


def test_a_long_json_array_is_read_in_pieces_wherever_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(f"ü{at}", f"電{at}", 1.5, 1_300_000_000 + at) for at in range(9000)]  # longer than the head that detection looks at
    content = json.dumps(records_of(rows)).encode()
    assert len(content) > 2 * text.HEAD_BYTES
    for size in (1009, 65_537):
        monkeypatch.setattr(text, "BLOCK_BYTES", size)
        monkeypatch.setattr(json_lines, "_BATCH_ROWS", 1000)
        assert look_and_read(content, "r.json")[1] == rows


def test_elements_of_a_json_array_that_are_no_rows_are_counted() -> None:
    long = {"user_id": "u9", "item_id": "x" * 10_000_000, "rating": 1, "timestamp": 1}
    bad = [long, "nonsense", 12, [1], None, {"user_id": "u9"}, {"user_id": "u\0", "item_id": "i", "rating": 1, "timestamp": 1}]
    content = json.dumps(records_of(PLAIN[:2]) + bad + records_of(PLAIN[2:3]), indent=1)
    mapping = detect(io.BytesIO(content.encode()), "r.json").mapping({"user": 0, "item": 1, "weight": 2, "timestamp": 3})
    damaged = content.encode().replace(b'"u0"', b'"u\xff"')
    interactions, rejects = read(io.BytesIO(damaged), mapping, "r.json")
    assert rows_of(interactions) == PLAIN[1:3]
    assert rejects.counts == {Reason.TOO_LONG: 1, Reason.NOT_JSON: 4, Reason.MISSING_ITEM: 1, Reason.UNDECODABLE: 2}
    assert (rejects.rows_read, rejects.rows_kept) == (10, 2)
    lines = content.split("\n")
    assert [lines[example.line - 1].strip(" ,") for example in rejects.examples[Reason.NOT_JSON]] == ['"nonsense"', "12", "[", "null"]


@pytest.mark.parametrize("depth", [450, 600])
def test_an_element_too_deep_for_columns_is_rejected_alone(depth: int) -> None:
    deep = '{"user_id": "u9", "item_id": ' + "[" * depth + "]" * depth + "}"
    content = ("[" + ",".join([*map(json.dumps, records_of(PLAIN)), deep]) + "]").encode()
    interactions, rejects = read(io.BytesIO(content), detect(io.BytesIO(content), "r.json").mapping(), "r.json")
    assert rows_of(interactions) == PLAIN
    assert rejects.counts == {Reason.NOT_JSON: 1}


def test_no_name_of_a_member_has_a_sign_that_no_database_takes() -> None:
    content = b'{"us\\u0000er": "a", "it\\ud800em": "b"}\n' * 3
    detected = detect(io.BytesIO(content), "r.jsonl")
    assert [column.name for column in detected.columns] == ["us\ufffder", "it\ufffdem"]
    assert rows_of(read(io.BytesIO(content), detected.mapping({"user": 0, "item": 1}), "r.jsonl")[0]) == [("a", "b")] * 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"user_id": 1, "item_id": 2},\n {"user_id": 3', "broken in line 2: a whole object should be there, but '{\"user_id\": 3' is"),
        ('[{"user_id": 1, "item_id": 2}\n {"user_id": 3}]', "broken in line 2: a comma and another object"),
        ('[{"user_id": 1, "item_id": 2},\n]', "broken in line 2: an object should be there, but ']' is"),
        ('[{"user_id": 1, "item_id": 2}', "the file ends"),
        ('[{"user_id": 1, "item_id": 2}]\nmore', "broken in line 2: the end of the file after the array"),
        ("[{}, {}]", "holds no object with members"),
        ('[{"user_id": 1, "item_id": 2}, {"user_id": 1, "item_id": "' + "x" * 40_000_000 + '"}]', "a whole object should be there"),
        ('[{"a":' * 30_000, "a whole object should be there"),
    ],
)
def test_a_broken_json_array_says_where(content: str, message: str) -> None:
    mapping = Mapping.from_json({"source": "json_lines", "columns": {"user": "user_id", "item": "item_id"}})
    with pytest.raises(DataError, match=re.escape(message)):
        read(io.BytesIO(content.encode()), mapping, "r.json")


@pytest.mark.parametrize("time", [pl.Int64, pl.Datetime("ms"), pl.Datetime("us", "Europe/Berlin"), pl.Datetime("ns")])
def test_parquet_is_read_whatever_its_types(time: Any) -> None:
    table = pl.DataFrame(PLAIN, schema=list(NAMES), orient="row")
    if time != pl.Int64:
        table = table.with_columns(pl.from_epoch("timestamp", "s").dt.replace_time_zone("UTC"))
        table = table.with_columns(
            pl.col("timestamp").dt.convert_time_zone(time.time_zone or "UTC").cast(time)
            if time.time_zone
            else pl.col("timestamp").dt.replace_time_zone(None).cast(time)
        )
    file = io.BytesIO()
    table.with_columns(pl.col("user_id").cast(pl.Categorical), pl.Series("tags", [["x", "y"]] * len(PLAIN))).write_parquet(file)
    detected, rows = look_and_read(file.getvalue(), "data.parquet")
    assert rows == PLAIN
    assert detected.source == "parquet" and detected.rows[0][4] == "x|y"
    assert detected.mapping().columns["user"] == "user_id"


def test_parquet_rows_are_accounted_for() -> None:
    table = pl.DataFrame({"user": ["a", None, "b\0", "c"], "item": [1, 2, 3, 2**63 - 1], "rating": [1.0, 2.0, 3.0, float("nan")]})
    file = io.BytesIO()
    table.write_parquet(file)
    mapping = detect(file, "d.parquet").mapping({"user": "user", "item": "item", "weight": "rating"})
    interactions, rejects = read(file, mapping, "d.parquet")
    assert rows_of(interactions) == [("a", "1", 1.0)]
    assert rejects.counts == {Reason.MISSING_USER: 1, Reason.UNDECODABLE: 1, Reason.WEIGHT_NOT_FINITE: 1}
    assert [rejects.examples[reason][0].line for reason in rejects.counts] == [3, 2, 4]


def test_damaged_parquet_is_refused() -> None:
    content = as_parquet(PLAIN)
    with pytest.raises(DataError, match="damaged or incomplete"):
        detect(io.BytesIO(content[:-20]), "data.parquet")
    with pytest.raises(DataError, match="is not Parquet"):
        read(io.BytesIO(as_text(PLAIN).encode()), detect(io.BytesIO(content), "d").mapping(), "d.csv")
    nested = io.BytesIO()
    pl.DataFrame({"user": [{"a": 1}], "item": [1]}).write_parquet(nested)
    mapping = detect(nested, "d").mapping({"user": 0, "item": 1})
    with pytest.raises(DataError, match="'user' of d holds values of type struct<a: int64>"):
        read(nested, mapping, "d")


def parquet_of(**columns: Any) -> io.BytesIO:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    return file


@pytest.mark.parametrize(
    ("values", "preview"),
    [
        (pyarrow.array([b"\xff"] * 3), "\\xff\ufffd"),
        (pyarrow.array([[b"\xff"]] * 3), "(list<element: binary>)"),
        (pyarrow.array([timedelta(1)] * 3), "(duration[us])"),
        (pyarrow.array([Decimal("1.5")] * 3, pyarrow.decimal256(60, 2)), "(decimal256(60, 2))"),
        (pyarrow.array([2**60] * 3, pyarrow.timestamp("ms")), str(2**60)),
        (pyarrow.array([0] * 3, pyarrow.timestamp("s", "No/where")), "1970-01-01T00:00:00"),
        (pyarrow.array([2**31 - 1] * 3, pyarrow.int32()).cast(pyarrow.date32()), str((2**31 - 1) * 86_400)),
        (pyarrow.array([{"a": 1}] * 3), "(struct<a: int64>)"),
    ],
)
def test_a_parquet_column_of_any_type_spoils_no_other(values: Any, preview: str) -> None:
    file = parquet_of(user=["a", "b", "a"], item=[1, 2, 3], odd=values)
    detected = detect(file, "d")
    assert detected.rows[0][2] == preview
    assert rows_of(read(file, detected.mapping({"user": 0, "item": 1}), "d")[0]) == [("a", "1"), ("b", "2"), ("a", "3")]


def test_parquet_text_may_be_written_as_bytes() -> None:
    file = parquet_of(user=["é".encode(), b"\xff", None, b"b"], item=["x", "y", "z", "x"])
    interactions, rejects = read(file, detect(file, "d").mapping({"user": 0, "item": 1}), "d")
    assert rows_of(interactions) == [("é", "x"), ("b", "x")]
    assert rejects.counts == {Reason.UNDECODABLE: 1, Reason.MISSING_USER: 1}


def test_parquet_times_in_no_calendar_are_rejected_alone() -> None:
    file = parquet_of(user=["a"] * 21, item=[1] * 21, time=pyarrow.array([60_000] * 20 + [2**60], pyarrow.timestamp("ms")))
    interactions, rejects = read(file, detect(file, "d").mapping({"user": 0, "item": 1, "timestamp": 2}), "d")
    assert interactions.timestamp is not None and interactions.timestamp.tolist() == [60] * 20
    assert rejects.counts == {Reason.TIMESTAMP_NOT_READABLE: 1}


def test_parquet_text_that_is_none_is_refused() -> None:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"user": ["ann", "bob"], "item": [1, 2]}), file, compression="none", use_dictionary=False)
    content = file.getvalue().replace(b"bob", b"bo\xff")
    with pytest.raises(DataError, match="damaged"):
        detect(io.BytesIO(content), "d")


@pytest.mark.parametrize("name", ["item", "", "a\0b"])
def test_a_parquet_column_needs_a_name_of_its_own(name: str) -> None:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table([["a"], ["b"], ["c"]], names=["user", "item", name]), file)
    with pytest.raises(DataError, match="Column 3 of d needs a name of its own"):
        detect(file, "d")


@pytest.mark.parametrize("compression", COMPRESSORS)
@pytest.mark.parametrize("content", [as_text(ROWS).encode(), as_json(ROWS).encode(), as_parquet(ROWS)], ids=["csv", "json", "parquet"])
def test_compressed_files_of_every_format_read_the_same(compression: str, content: bytes) -> None:
    detected, rows = look_and_read(COMPRESSORS[compression](content), "data")
    assert rows == ROWS and detected.compression == compression


NOISE = as_text([(f"{a}", f"{b}", 1, 1) for a, b in np.random.default_rng(0).integers(0, 10**9, (60_000, 2))]).encode()


@pytest.mark.parametrize("compression", COMPRESSORS)
def test_a_compressed_file_that_is_cut_or_damaged_is_refused(compression: str) -> None:
    whole = COMPRESSORS[compression](NOISE)
    mapping = detect(io.BytesIO(whole), "d").mapping({"user": 0, "item": 1})
    damaged = bytearray(whole)
    damaged[len(whole) // 2 :] = b"\xaa" * len(damaged[len(whole) // 2 :])
    for broken in (whole[:-1000], whole[: len(whole) // 2], whole[:40], bytes(damaged)):
        with pytest.raises(DataError, match="(ends too early|incomplete|damaged)"):
            read(io.BytesIO(broken), mapping, "d")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zipped(NOISE, "a.csv", "b.csv"), r"exactly one file, but holds 2 \('a.csv', 'b.csv'\)"),
        (zipped(zipped(NOISE)), "holds a zip archive"),
        (zipped(gzip.compress(NOISE)), "holds a gzip archive"),
        (zipped(b"", "[Content_Types].xml", "xl/workbook.xml"), "is an Excel workbook"),
    ],
)
def test_archives_that_hold_no_single_table_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        detect(io.BytesIO(content), "d.zip")


def test_what_a_mac_adds_to_an_archive_does_not_count() -> None:
    archive = zipped(as_text(PLAIN).encode(), "__MACOSX/._data.csv", "data.csv")
    assert look_and_read(archive)[1] == PLAIN


@pytest.mark.parametrize("compression", COMPRESSORS)
def test_a_decompression_bomb_is_refused(compression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"u1,i1\n" + b"user,item\n" * 800_000
    bomb = COMPRESSORS[compression](content)
    mapping = detect(io.BytesIO(bomb), "d", has_header=False, delimiter=",").mapping({"user": 0, "item": 1})
    with pytest.raises(DataError, match="holds more than 1 MB when decompressed"):
        read(io.BytesIO(bomb), mapping, "d", limits=Limits(max_bytes=1_000_000))
    monkeypatch.setattr("gnn.sources.compression.RATIO_COUNTS_FROM", 1_000_000)
    with pytest.raises(DataError, match="more than 100 times its size"):
        read(io.BytesIO(bomb), mapping, "d", limits=Limits(max_ratio=100))
    assert len(read(io.BytesIO(bomb), mapping, "d", limits=Limits(max_ratio=100_000))[0]) == 800_001


def test_parquet_that_would_be_too_large_is_refused() -> None:
    with pytest.raises(DataError, match="the limit of this server is 0 MB"):
        detect(io.BytesIO(as_parquet(PLAIN * 100)), "d.parquet", limits=Limits(max_bytes=1000))


@pytest.mark.parametrize(
    "written",
    [
        "2011-03-13 07:06:40",
        "2011-03-13T07:06:40Z",
        "2011-03-13T08:06:40+01:00",
        "2011/3/13 7:06:40",
        "20110313070640",
        "13 Mar 2011 07:06:40",
        "Mar 13, 2011 7:06:40 AM",
        "Sun, 13 Mar 2011 07:06:40 GMT",
        "Sun Mar 13 07:06:40 +0000 2011",
        "13/03/2011 07:06:40",
        "13.3.2011, 7:06:40",
        "03/13/2011 07:06:40 AM",
        "13.03.11 07:06:40",
        "3/13/11 7:06:40 AM",
        "1300000000",
        "1300000000.5",
        "1300000000000",
        "1300000000000000",
    ],
)
def test_common_ways_to_write_a_time_are_recognised(written: str) -> None:
    assert datetime(2011, 3, 13, 7, 6, 40, tzinfo=UTC).timestamp() == 1_300_000_000
    detected, rows = look_and_read("".join(f"u{at}\ti{at}\t{written}\n" for at in range(3)).encode(), delimiter="\t")
    assert detected.guesses["timestamp"].column == 2
    assert {row[2] for row in rows} == {1_300_000_000}


def test_years_of_two_digits_are_those_of_1969_to_2068() -> None:
    _, rows = look_and_read(b"u\ti\t31/12/68\nu\ti\t31/12/69\nu\ti\t1/1/00\nu\ti\t31/12/99\n", delimiter="\t")
    assert [datetime.fromtimestamp(row[2], UTC).year for row in rows] == [2068, 1969, 2000, 1999]


def test_noon_and_midnight_are_not_mixed_up() -> None:
    _, rows = look_and_read(b"u\ti\t03/13/2011 12:30 AM\nu\ti\t03/13/2011 12:30 PM\nu\ti\t03/13/2011 11:30 PM\n", delimiter="\t")
    assert [(row[2] - rows[0][2]) / 3600 for row in rows] == [0, 12, 23]


def test_day_and_month_are_told_apart_by_the_column_as_a_whole() -> None:
    day_first, _ = look_and_read(b"u;i;03/04/2011\nu;i;05/04/2011\nu;i;23/04/2011\n")
    assert day_first.columns[2].timestamp_unit == "dmy" and not day_first.columns[2].ambiguous_date
    month_first, _ = look_and_read(b"u;i;03/04/2011\nu;i;05/04/2011\nu;i;03/24/2011\n")
    assert month_first.columns[2].timestamp_unit == "mdy" and not month_first.problems
    unclear, rows = look_and_read(b"u;i;03/04/2011\nu;i;05/04/2011\n")
    assert unclear.columns[2].ambiguous_date and "day first and month first" in unclear.problems[0]
    interactions, _ = read(io.BytesIO(b"u;i;03/04/2011\n"), unclear.mapping(timestamp_unit="mdy"), "d")
    assert datetime.fromtimestamp(rows_of(interactions)[0][2], UTC).date().isoformat() == "2011-03-04"
    assert datetime.fromtimestamp(rows[0][2], UTC).date().isoformat() == "2011-04-03"


def test_impressions_keep_label_position_propensity_behaviour_and_domain() -> None:
    text = (
        "user,item,click,position,propensity_score,event,domain\n"
        "u1,i1,1,3,0.5,view,shop\nu2,i1,true,1,1,buy,shop\nu1,i2,0,2,0.25,view,blog\n"
        "u1,i2,2,2,0.25,view,blog\nu1,i2,0,2.5,0.25,view,blog\nu1,i2,0,2,0,view,blog\nu1,i2,0,2,0.1,,blog\nu1,i2,0,2,0.1,view,\n"
        "u1,i2,0,99999999999,0.1,view,blog\n"
    )
    mapping = detect(io.BytesIO(text.encode()), "d.csv").mapping(
        {"user": 0, "item": 1, "label": 2, "position": 3, "propensity": 4, "behaviour": 5, "domain": 6}
    )
    interactions, rejects = read(io.BytesIO(text.encode()), mapping, "d.csv")
    assert interactions.label is not None and interactions.label.tolist() == [1, 1, 0]
    assert interactions.position is not None and interactions.position.tolist() == [3, 1, 2]
    assert interactions.propensity is not None and interactions.propensity.tolist() == [0.5, 1, 0.25]
    assert interactions.behaviour is not None and interactions.behaviour.tolist() == [0, 1, 0]
    assert interactions.behaviour_names is not None and interactions.behaviour_names.to_list() == ["view", "buy"]
    assert interactions.domain_names is not None and interactions.domain_names.to_list() == ["shop", "blog"]
    assert rejects.counts == {
        Reason.LABEL_NOT_READABLE: 1,
        Reason.POSITION_NOT_READABLE: 2,
        Reason.PROPENSITY_NOT_READABLE: 1,
        Reason.MISSING_BEHAVIOUR: 1,
        Reason.MISSING_DOMAIN: 1,
    }
    clean = text.replace("true", "1").splitlines(keepends=True)[:4]
    guesses = detect(io.BytesIO("".join(clean).encode()), "d.csv").guesses
    assert {role: guess.column for role, guess in guesses.items()} == mapping.columns


def test_all_rejected_rows_are_written_for_a_person_to_read() -> None:
    text = "user,item,rating\n" + "".join(f"u{at},i{at},=cmd({at})\n" for at in range(20)) + "u,i,1\nonly one\n,=x,1\n"
    mapping = detect(io.BytesIO(text.encode()), "d.csv").mapping({"user": 0, "item": 1, "weight": 2})
    log = io.BytesIO()
    _, rejects = read(io.BytesIO(text.encode()), mapping, "d.csv", rejected=log)
    lines = list(csv.reader(io.StringIO(log.getvalue().decode())))
    assert lines[0] == ["line", "column", "reason", "text"]
    assert len(lines) == 1 + rejects.total == 23
    assert ["2", "rating", "weight is not a number", "'=cmd(0)"] in lines  # harmless in a spreadsheet
    assert ["23", "", "wrong number of fields", "only one"] in lines
    assert ["24", "user", "missing user", ""] in lines


def test_reading_stops_at_the_first_bad_row_when_asked() -> None:
    content = b"user,item,rating\nu,i,1\nu,i,four\nu,,2\n"
    mapping = detect(io.BytesIO(content), "d.csv").mapping({"user": 0, "item": 1, "weight": 2}, on_reject="stop")
    with pytest.raises(DataError, match=r"^Line 3, column rating: weight is not a number \('four'\)"):
        read(io.BytesIO(content), mapping, "d.csv")


def test_files_of_the_same_shape_share_a_template() -> None:
    def shape(text: str) -> str:
        return detect(io.BytesIO(text.encode()), "d.csv").shape

    assert shape(as_text(PLAIN)) == shape(as_text(PLAIN[:5]))
    assert shape(as_text(PLAIN)) != shape(as_text(PLAIN, delimiter=";"))
    assert shape(as_text(PLAIN)) != shape(as_text(PLAIN).replace("rating", "score"))
