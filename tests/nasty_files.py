"""A corpus of bad files, and what should become of each on its way through the browser."""

from __future__ import annotations

import gzip
import io
import json
import random
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field

from gnn.sources.rejects import Reason

HEADER = b"user,item,rating,time\n"
GOOD = b"".join(b"u%d,i%d,%d,%d\n" % (at % 5, at % 7, at % 5, 1_300_000_000 + at) for at in range(40))
N_GOOD = 40
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


@dataclass(frozen=True)
class Nasty:
    name: str
    content: bytes
    filename: str = "nasty.csv"
    refused: str = ""
    """What the upload is answered with; empty where the file is taken."""
    invalid: str = ""
    """What its reading ends with; empty where it becomes READY."""
    kept: int = 0
    """Rows kept besides ``N_GOOD``."""
    rejected: Mapping[Reason, int] = field(default_factory=dict)
    shown: tuple[str, ...] = ()
    """What the page of the dataset or of its columns says."""

    def __str__(self) -> str:
        return self.name


def table(rows: bytes) -> bytes:
    return HEADER + GOOD + rows


def zipped(content: bytes, name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def long_table(rows: int) -> bytes:
    """Rows that do not shrink well, more than detection looks at."""
    generator = random.Random(0)
    return HEADER + b"".join(b"%x,%x,3,1300000000\n" % (generator.getrandbits(64), generator.getrandbits(64)) for _ in range(rows))


_LONG = long_table(20_000)
_ARRAY = json.dumps([{"user": f"u{at % 9}", "item": f"i{at % 7}", "note": "x" * 40} for at in range(9000)], indent=0).encode()

NASTY = (
    Nasty("ragged rows", table(b"u1,i1,3\nu2,i2,3,1,extra\n"), rejected={Reason.FIELD_COUNT: 2}, shown=("line 42", "u2,i2,3,1,extra")),
    Nasty("unclosed quote", table(b'u1,"i1,3\n'), rejected={Reason.OPEN_QUOTE: 1}, shown=("a quotation mark that is never closed",)),
    Nasty("NUL among the first rows", table(b"u1\0,i1,3,1\n"), refused="byte 785 is NUL, which no text has"),
    Nasty("NUL far down", _LONG + GOOD + b"u1\0,i1,3,1\n", kept=20_000, rejected={Reason.UNDECODABLE: 1}, shown=("line 20,042",)),
    Nasty("mixed newlines", table(b"u1,i1,3,1\r\nu2,i2,3,1\ru3,i3,3,1\n\r\n\n"), kept=3, shown=("2 blank lines are not rows",)),
    Nasty("10 MB cell", table(b"x" * 10_000_000 + b",i,3,1\nu,i,3,1\n"), kept=1, rejected={Reason.TOO_LONG: 1}),
    Nasty("100,000 columns", b"1," * 100_000 + b"1\n" + b"2," * 100_000 + b"2\n", refused="100,001 columns, more than 1,000"),
    Nasty("a row of 100,000 fields", table(b"u1," * 100_000 + b"1\n"), rejected={Reason.FIELD_COUNT: 1}),
    Nasty("formulas and markup", b"user,item,rating,time\n=cmd(),<script>alert(1)</script>,3,1\n" + GOOD + b"u1,i1,=cmd(),1\n", kept=1,
          rejected={Reason.WEIGHT_NOT_NUMBER: 1}, shown=("&lt;script&gt;alert(1)&lt;/script&gt;", "=cmd()")),
    Nasty("emoji and marks that turn text around", table("😀,\u202egnp.exe,3,1\n".encode()), kept=1),
    Nasty("ids of 10 kB", table(b"x" * 10_000 + b"," + b"y" * 10_000 + b",3,1\n"), kept=1),
    Nasty("duplicate headers", b"user,user,rating,time\n" + GOOD, shown=("2 columns are named",)),
    Nasty("header only", HEADER, refused="only a header"),
    Nasty("no byte", b"", refused="is empty"),
    Nasty("blank lines only", b"\n \n\r\n", refused="holds only blank lines"),
    Nasty("all rows rejected", HEADER + b",i1,3,1\n" * 5, invalid="None of the 5 rows can be used: 5 × missing user (first at line 2"),
    Nasty("integers beyond 64 bits", table(b"99999999999999999999999999,18446744073709551616,3,1\nu1,i1,3,99999999999999999999999\n"),
          kept=1, rejected={Reason.TIMESTAMP_NOT_READABLE: 1}, shown=("99999999999999999999999",)),
    Nasty("weights that are not finite", table(b"u1,i1,nan,1\nu1,i1,-inf,1\nu1,i1,Infinity,1\nu1,i1,1e999,1\n"),
          rejected={Reason.WEIGHT_NOT_FINITE: 4}, shown=("weight is not finite",)),
    Nasty("negative times", table(b"u1,i1,3,-5\nu1,i1,3,-1e30\n"), kept=1, rejected={Reason.TIMESTAMP_NOT_READABLE: 1},
          shown=("1969-12-31",)),
    Nasty("zip", zipped(HEADER + GOOD, "folder/a.csv"), "nasty.zip", shown=("compressed with zip",)),
    Nasty("zip in zip", zipped(zipped(HEADER + GOOD, "a.csv"), "a.zip"), "nasty.zip", refused="holds a zip archive, not a table"),
    Nasty("zip of nothing", b"PK\x05\x06" + bytes(18), "nasty.zip", refused="must hold exactly one file, but holds 0"),
    Nasty("zip that points before its start", zipped(HEADER + GOOD, "a.csv").replace(b"PK\x01\x02", b"\0PK\x01\x02"), "nasty.zip",
          refused="The zip file nasty.zip"),
    Nasty("PNG named .csv", PNG, refused="is a PNG picture, not a table"),
    Nasty("PNG in gzip", gzip.compress(PNG), "nasty.csv.gz", refused="holds a PNG picture"),
    Nasty("short gzip cut off", gzip.compress(HEADER + GOOD)[:-9], "nasty.csv.gz", refused="ends too early"),
    Nasty("long gzip cut off", gzip.compress(_LONG)[:-5000], "nasty.csv.gz", invalid="ends too early: it is incomplete"),
    Nasty("decompression bomb", gzip.compress(HEADER + GOOD * 3000), "nasty.csv.gz", invalid="more than 1 MB when decompressed"),
    Nasty("half a sign of UTF-16", table(b"u1,i1,3,1\n").decode().encode("utf-16") + b"\x41", kept=1, rejected={Reason.UNDECODABLE: 1}),
    Nasty("a line for Excel and a title", b"sep=,\r\nSales <2024>\r\n\r\n" + table(b"u1,,3,1\n"), rejected={Reason.MISSING_ITEM: 1},
          shown=("lines 1 to 3 are skipped", "line 45")),
    Nasty("two byte order marks in UTF-32", ("\ufeff\ufeff" + table(b"u1,i1,3,1\n").decode()).encode("utf-32-be"), kept=1),
    Nasty("thousands in one column", table(b'u1,i1,"1,234.50",1\nu1,i1,"1,23",1\n'), kept=1, rejected={Reason.WEIGHT_NOT_NUMBER: 1},
          shown=("1,23",)),
    Nasty("a page to sign in", b"<!DOCTYPE html>\n<html><title>Sign in, please</title></html>\n", refused="is a web page"),
    Nasty("array broken far down", _ARRAY[:-1000], "nasty.json", invalid="The JSON array in nasty.json is broken in line"),
)  # fmt: skip
