"""From an uploaded file to lines of UTF-8: what is not text is refused, gzip and other encodings are undone while streaming."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from typing import IO

from gnn.errors import DataError
from gnn.sources.mapping import Encoding

HEAD_BYTES = 1 << 18
"""How much of the text detection looks at."""
BLOCK_BYTES = 1 << 23
"""How much of the text is in memory at once while reading."""
MAX_LINE_BYTES = 1 << 20
"""A longer line is not a row of a table."""

GZIP_MAGIC = b"\x1f\x8b"
BINARY_MAGICS: dict[bytes, str] = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"PAR1": "a Parquet file",
    b"SQLite format 3\0": "an SQLite database",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
}
_WANTED = "Upload delimited text such as CSV or TSV, plain or compressed with gzip"


class TextReader:
    """The decompressed bytes of a binary file object; every damage is a DataError that says what to do."""

    def __init__(self, file: IO[bytes], filename: str) -> None:
        file.seek(0)
        magic = file.read(16)
        file.seek(0)
        if not magic:
            raise DataError(f"The file {filename} is empty. Export it again and check that it has rows.")
        self.is_gzip = magic.startswith(GZIP_MAGIC)
        if filename.lower().endswith(".gz") and not self.is_gzip:
            raise DataError(
                f"The file {filename} is named .gz, but its content is not gzip. Rename it if it is plain text, or compress it again."
            )
        self._stream: IO[bytes] = gzip.GzipFile(fileobj=file, mode="rb") if self.is_gzip else file  # type: ignore[assignment]
        self._filename = filename
        self.head, self.head_is_all = self._read_head()
        self.encoding = _encoding_of(self.head, cut=not self.head_is_all)

    def read(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except EOFError as error:
            raise DataError(f"The gzip file {self._filename} ends too early: it is incomplete. Compress or upload it again.") from error
        except (zlib.error, gzip.BadGzipFile) as error:
            raise DataError(f"The gzip file {self._filename} is damaged ({error}). Compress or upload it again.") from error

    def _read_head(self) -> tuple[bytes, bool]:
        head = b""
        while len(head) < HEAD_BYTES and (more := self.read(HEAD_BYTES - len(head))):
            head += more
        if not head:
            raise DataError(f"The file {self._filename} holds no text at all. Export it again and check that it has rows.")
        for magic, what in BINARY_MAGICS.items():
            if head.startswith(magic):
                raise DataError(f"The file {self._filename} is {what}, not a table in text form. {_WANTED}.")
        if not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and (position := head.find(b"\0")) >= 0:
            raise DataError(f"The file {self._filename} is binary: byte {position + 1} is NUL, which no text has. {_WANTED}.")
        return head, len(head) < HEAD_BYTES

    def head_text(self, encoding: Encoding) -> str:
        """The head decoded for looking at: what is no text becomes U+FFFD, a row cut at the end of the head is left out."""
        text = self.head.decode(encoding, errors="replace").removeprefix("\ufeff").replace("\0", "\ufffd")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        return text if self.head_is_all or "\n" not in text else text[: text.rindex("\n") + 1]

    def blocks(self, encoding: Encoding) -> Iterator[bytes]:
        """Blocks of whole lines in UTF-8, each line ended by a single newline, without a byte order mark.

        UTF-8 passes through undecoded, so that a damaged line can be told from its neighbours.

        Raises:
            DataError: the file is damaged or has a line longer than ``MAX_LINE_BYTES``.
        """
        lines, rest = 0, b""
        for text in self._utf8(encoding):
            block = rest + text
            # A carriage return at the very end may be half of a line break.
            held = b"\r" if block.endswith(b"\r") else b""
            block = block[: len(block) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            cut = block.rfind(b"\n") + 1
            rest = block[cut:] + held
            if len(rest) > MAX_LINE_BYTES:
                number = lines + block.count(b"\n") + 1
                raise DataError(
                    f"Line {number:,} is longer than {MAX_LINE_BYTES:,} bytes: {self._filename} is not a table of rows. {_WANTED}."
                )
            if cut:
                lines += block.count(b"\n")
                yield block[:cut]
        if rest:
            yield rest.removesuffix(b"\r") + b"\n"

    def _utf8(self, encoding: Encoding) -> Iterator[bytes]:
        source = self._raw()
        if encoding == "utf-8":
            yield next(source).removeprefix(codecs.BOM_UTF8)
            yield from source
            return
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            for block in source:
                yield decoder.decode(block).encode()
            yield decoder.decode(b"", final=True).encode()
        except UnicodeError as error:
            raise DataError(f"The file {self._filename} is not {encoding} text: {error}. Choose another encoding.") from error

    def _raw(self) -> Iterator[bytes]:
        yield self.head
        while block := self.read(BLOCK_BYTES):
            yield block


def _encoding_of(head: bytes, *, cut: bool) -> Encoding:
    """UTF-16 if the byte order mark says so; Latin-1 if most lines that are not ASCII are not UTF-8 either; else UTF-8."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    lines = head.splitlines()
    if cut:
        lines = lines[:-1]
    foreign = [line for line in lines if not line.isascii()]
    bad = sum(not _is_utf8(line) for line in foreign)
    # One bad line is damage, not an encoding.
    return "latin-1" if bad > 1 and bad > len(foreign) / 2 else "utf-8"


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
