"""From plain bytes to lines of UTF-8: what is not text is refused, other encodings are undone while streaming."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Literal

from gnn.errors import DataError
from gnn.sources.compression import PlainBytes
from gnn.sources.mapping import Encoding

HEAD_BYTES = 1 << 18
"""How much of the text detection looks at."""
_HEAD_LINES, _LONGEST_HEAD_BYTES = 4, 1 << 24
"""It looks at more if there are fewer lines, up to a limit."""
BLOCK_BYTES = 1 << 23
"""How much of the text is in memory at once while reading."""
MAX_LINE_BYTES = 1 << 20
"""A longer line is not a row of a table."""
MAX_LIST_BYTES = 1 << 24
"""A longer line is not the list of a user's items: this holds two million ids of seven digits."""
CUT = b"\0\xff line cut"
"""Ends what is left of a line that is longer; no text has these bytes."""
_LEFT_OF_A_LONG_LINE = 200

_MARKS: dict[bytes, Encoding] = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""In this order: the mark of UTF-32 begins with that of UTF-16."""
_FEW_SIGNS, _ASCII_SHARE = 8, 0.2
"""Signs that are too few to tell an encoding without a mark by, and the share of them that must be ASCII."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""What stands in no text of UTF-32, but in arrays of whole numbers."""

_NUL = "recsmith.nul"
"""Puts NUL, which no text has, where bytes cannot be decoded, so that their row is rejected and no other."""
codecs.register_error(_NUL, lambda error: ("\0", error.end if isinstance(error, UnicodeDecodeError) else 0))

BINARY_MAGICS: dict[bytes, str] = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"SQLite format 3\0": "an SQLite database",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "an HDF5 file",
}
PARQUET_MAGIC = b"PAR1"
_TAR_AT, _TAR_MAGIC = 257, b"ustar"
_MARKUP = re.compile(rb"\s*(<!doctype html|<html\b|<\?xml)", re.IGNORECASE)
_WINDOWS: dict[int, str] = {code: bytes([code]).decode("cp1252", errors="ignore") or chr(code) for code in range(0x80, 0xA0)}
"""What Windows writes where Latin-1 has control signs that no text has: the euro, curly quotation marks and others."""
_WANTED = (
    "Upload CSV, TSV or other delimited text, JSON (lines or an array) or Parquet, plain or compressed with gzip, zip, Zstandard or xz"
)


class TextReader:
    """The text of a file; every damage is a DataError that says what to do."""

    def __init__(self, plain: PlainBytes) -> None:
        self._plain, self._filename = plain, plain.filename
        self.head, self.head_is_all = self._read_head()

    @property
    def is_parquet(self) -> bool:
        return self.head.startswith(PARQUET_MAGIC)

    def require_text(self) -> None:
        """Refuse what a look at the head shows to be no text."""
        verb = "holds" if self._plain.compression else "is"
        for magic, what in BINARY_MAGICS.items():
            if self.head.startswith(magic):
                raise DataError(f"The file {self._filename} {verb} {what}, not a table in text form. {_WANTED}.")
        if self.head[_TAR_AT:].startswith(_TAR_MAGIC):
            raise DataError(f"The file {self._filename} {verb} a tar archive, not a table. Upload the files in it one by one.")
        if (markup := _MARKUP.match(self.head.removeprefix(codecs.BOM_UTF8))) is not None:
            what = "XML" if b"xml" in markup[1].lower() else "a web page, perhaps one that asks to sign in"
            raise DataError(f"The file {self._filename} {verb} {what}, not a table. {_WANTED}.")
        if self.guess_encoding() not in ("utf-16", "utf-32") and (position := self.head.find(b"\0")) >= 0:
            raise DataError(f"The file {self._filename} is binary: byte {position + 1} is NUL, which no text has. {_WANTED}.")

    def guess_encoding(self) -> Encoding:
        return _encoding_of(self.head, cut=not self.head_is_all)

    def _read_head(self) -> tuple[bytes, bool]:
        head = b""
        while len(head) < HEAD_BYTES and (more := self._plain.read(HEAD_BYTES - len(head))):
            head += more
        is_all = len(head) < HEAD_BYTES
        # A cell of several megabytes must not hide all rows.
        while not is_all and len(head.splitlines()) < _HEAD_LINES and len(head) < _LONGEST_HEAD_BYTES:
            more = self._plain.read(HEAD_BYTES)
            head, is_all = head + more, not more
        if not head:
            raise DataError(f"The file {self._filename} holds no text at all. Export it again and check that it has rows.")
        return head, is_all

    def head_text(self, encoding: Encoding) -> str:
        """The head decoded for looking at: what is no text becomes U+FFFD, a row cut at the end of the head is left out."""
        text = _as_windows(self.head.decode(self._codec(encoding), errors="replace"), encoding)
        text = text.lstrip("\ufeff").replace("\0", "\ufffd")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        return text if self.head_is_all or "\n" not in text else text[: text.rindex("\n") + 1]

    def blocks(self, encoding: Encoding, *, max_line_bytes: int = MAX_LINE_BYTES) -> Iterator[bytes]:
        """Blocks of whole lines in UTF-8, each line ended by a single newline, without byte order marks at the start.

        UTF-8 passes through undecoded, so that a damaged line can be told from its neighbours. Of a line longer than
        ``max_line_bytes`` the start is left, followed by ``CUT``.

        Raises:
            DataError: the file is damaged.
        """
        rest, skipping = b"", False
        for text in self._utf8(encoding):
            block = rest + text
            # A carriage return at the very end may be half of a line break.
            held = b"\r" if block.endswith(b"\r") else b""
            block = block[: len(block) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            if skipping:
                end = block.find(b"\n")
                if end < 0:
                    rest = rest[:_LEFT_OF_A_LONG_LINE] + held
                    continue
                block, skipping = rest[:_LEFT_OF_A_LONG_LINE] + CUT + block[end:], False
            cut = block.rfind(b"\n") + 1
            rest = block[cut:] + held
            if len(rest) > max_line_bytes:
                rest, skipping = rest[:_LEFT_OF_A_LONG_LINE] + held, True
            if cut:
                yield _without_long_lines(block[:cut], max_line_bytes)
        if rest:
            yield rest.removesuffix(b"\r") + (CUT if skipping else b"") + b"\n"

    def texts(self, encoding: Encoding) -> Iterator[str]:
        """The text in blocks that end anywhere, with NUL where bytes cannot be decoded.

        Raises:
            DataError: the file is damaged.
        """
        decoder = codecs.getincrementaldecoder("utf-8")(errors=_NUL)
        for block in self._utf8(encoding):
            if text := decoder.decode(block):
                yield text
        yield decoder.decode(b"", final=True)

    def _utf8(self, encoding: Encoding) -> Iterator[bytes]:
        blocks = self._transcoded(encoding)
        first = next(blocks)
        while first.startswith(codecs.BOM_UTF8):  # more than one where a program marked what had a mark
            first = first.removeprefix(codecs.BOM_UTF8)
        yield first
        yield from blocks

    def _transcoded(self, encoding: Encoding) -> Iterator[bytes]:
        source = self._raw()
        if encoding == "utf-8":
            yield from source
            return
        decoder = codecs.getincrementaldecoder(self._codec(encoding))(errors=_NUL)
        for block in source:
            yield _as_windows(decoder.decode(block), encoding).encode()
        yield decoder.decode(b"", final=True).encode()

    def _codec(self, encoding: Encoding) -> str:
        """Python's name of an encoding, with the order of bytes where no mark says it."""
        if encoding not in ("utf-16", "utf-32") or _marked(self.head) == encoding:
            return encoding
        found = _unmarked(self.head)
        return found if found is not None and found.startswith(encoding) else f"{encoding}-le"

    def _raw(self) -> Iterator[bytes]:
        yield self.head
        while block := self._plain.read(BLOCK_BYTES):
            yield block


def _as_windows(text: str, encoding: Encoding) -> str:
    return text.translate(_WINDOWS) if encoding == "latin-1" else text


def _without_long_lines(block: bytes, max_line_bytes: int) -> bytes:
    start = 0
    while len(block) - start > max_line_bytes + 1:
        line_break = block.rfind(b"\n", start, start + max_line_bytes + 1)
        if line_break < 0:
            end = block.index(b"\n", start)
            block = block[: start + _LEFT_OF_A_LONG_LINE] + CUT + block[end:]
            line_break = start + _LEFT_OF_A_LONG_LINE + len(CUT)
        start = line_break + 1
    return block


def _encoding_of(head: bytes, *, cut: bool) -> Encoding:
    """UTF-16 and UTF-32 by mark or zeros; another encoding if most lines that are not ASCII are not UTF-8 either; else UTF-8."""
    if (wide := _marked(head)) is not None:
        return wide
    if (codec := _unmarked(head)) is not None:
        return "utf-32" if codec.startswith("utf-32") else "utf-16"
    lines = head.splitlines()
    if cut:
        lines = lines[:-1]
    foreign = [line for line in lines if not line.isascii()]
    bad = [line for line in foreign if not _is(line, "utf-8")]
    # One bad line is damage, not an encoding, unless there is nothing else to go by.
    if len(bad) <= len(foreign) / 2 or (len(bad) == 1 and len(lines) > 2):
        return "utf-8"
    return "gb18030" if _is_chinese(bad) else "latin-1"


def _marked(head: bytes) -> Encoding | None:
    return next((encoding for mark, encoding in _MARKS.items() if head.startswith(mark)), None)


def _unmarked(head: bytes) -> Literal["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"] | None:
    """UTF-16 or UTF-32 without a mark, with its order of bytes, as far as signs of ASCII, whose other bytes are NUL, show it.

    In a table those are at least the delimiters, digits and line breaks; their low byte is never NUL.
    """
    for codec in ("utf-32-le", "utf-32-be"):  # UTF-16 can hardly be read so: two of its signs make a number beyond Unicode
        if _is(quads := head[: len(head) // 4 * 4], codec):
            text = quads.decode(codec)
            ascii_signs = sum(map(str.isascii, text))
            if len(text) > _FEW_SIGNS and "\n" in text and ascii_signs > _ASCII_SHARE * len(text) and not _CONTROLS.search(text):
                return codec
    even, odd = head[0::2], head[1::2]
    if len(odd) <= _FEW_SIGNS:
        return None
    if 0 not in even and odd.count(0) > _ASCII_SHARE * len(odd) and b"\n\0" in head:
        return "utf-16-le"
    if 0 not in odd and even.count(0) > _ASCII_SHARE * len(even) and b"\0\n" in head:
        return "utf-16-be"
    return None


def _is_chinese(lines: list[bytes]) -> bool:
    """Whether bytes beyond ASCII come in pairs, both from 0xA1, as common Chinese signs are written; accents of Latin-1 stand alone."""
    runs = [run for line in lines for run in re.findall(rb"[\x80-\xff]+", line)]
    paired = sum(len(run) for run in runs if len(run) % 2 == 0 and min(run) >= 0xA1)
    return paired > 0.7 * sum(map(len, runs)) and sum(_is(line, "gb18030") for line in lines) > 0.7 * len(lines)


def _is(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
