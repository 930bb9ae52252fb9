"""From a file to its plain bytes: gzip, zip, Zstandard and xz are undone while streaming, within limits."""

from __future__ import annotations

import gzip
import io
import lzma
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import PurePath
from typing import IO, Literal, Protocol, cast

import pyarrow

from gnn.errors import DataError

Compression = Literal["", "gzip", "zip", "zst", "xz"]
MAGICS: dict[bytes, Compression] = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\x28\xb5\x2f\xfd": "zst",
    b"\xfd7zXZ\0": "xz",
}
SUFFIXES: dict[str, Compression] = {".gz": "gzip", ".zip": "zip", ".zst": "zst", ".xz": "xz"}
COMPRESSION_NAMES: dict[Compression, str] = {"gzip": "gzip", "zip": "zip", "zst": "Zstandard", "xz": "xz"}

RATIO_COUNTS_FROM = 100_000_000
"""Decompressed bytes up to which any ratio is fine: small files of equal rows shrink a thousandfold."""
_XZ_MEMORY = 256 << 20
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Limits:
    """How much a compressed file may grow."""

    max_bytes: int = 10_000_000_000
    max_ratio: int = 200
    """Decompressed bytes for each compressed one."""


class Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class PlainBytes:
    """The decompressed bytes of a binary file object, front to back; every damage is a DataError that says what to do."""

    def __init__(self, file: IO[bytes], filename: str, limits: Limits) -> None:
        file.seek(0, io.SEEK_END)
        self.compressed_size = file.tell()
        file.seek(0)
        magic = file.read(16)
        file.seek(0)
        if not magic:
            raise DataError(f"The file {filename} is empty. Export it again and check that it has rows.")
        self.filename = filename
        self.compression: Compression = next((kind for start, kind in MAGICS.items() if magic.startswith(start)), "")
        promised: Compression = next((kind for suffix, kind in SUFFIXES.items() if filename.lower().endswith(suffix)), "")
        if promised and self.compression != promised:
            raise DataError(
                f"The file {filename} is named {PurePath(filename).suffix}, but its content is not {COMPRESSION_NAMES[promised]}. "
                "Rename it if it is plain text, or compress it again."
            )
        self._limits, self._given = limits, 0
        self._stream = self._open(file)

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end.

        Raises:
            DataError: the file is damaged or grows beyond the limits.
        """
        name = COMPRESSION_NAMES.get(self.compression, "")
        try:
            data = self._stream.read(size)
        except EOFError as error:
            raise DataError(f"The {name} file {self.filename} ends too early: it is incomplete. Compress or upload it again.") from error
        except (zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, lzma.LZMAError, pyarrow.ArrowException, OSError) as error:
            if not self.compression:
                raise
            raise DataError(f"The {name} file {self.filename} is damaged ({error}). Compress or upload it again.") from error
        self._given += len(data)
        if self.compression:
            self._check_growth()
        return data

    def _check_growth(self) -> None:
        limits, given = self._limits, self._given
        if given > limits.max_bytes:
            raise DataError(
                f"{self.filename} holds more than {limits.max_bytes / 1e6:,.0f} MB when decompressed, the limit of this server. "
                "Divide it, or leave out columns."
            )
        if given > RATIO_COUNTS_FROM and given > limits.max_ratio * self.compressed_size:
            raise DataError(
                f"{self.filename} grows to more than {limits.max_ratio} times its size when decompressed, as no table does. "
                "Upload it without compression if it is one."
            )

    def _open(self, file: IO[bytes]) -> Readable:
        if self.compression == "gzip":
            return cast(Readable, gzip.GzipFile(fileobj=file, mode="rb"))
        if self.compression == "zip":
            return self._open_zip(file)
        if self.compression == "zst":
            return _ZstdStream(file)
        if self.compression == "xz":
            return _XzStream(file)
        return file

    def _open_zip(self, file: IO[bytes]) -> Readable:
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise DataError(f"The zip file {self.filename} is incomplete or damaged ({error}). Compress or upload it again.") from error
        members = [info for info in archive.infolist() if not info.is_dir() and not info.filename.startswith("__MACOSX/")]
        if any(info.filename == "[Content_Types].xml" for info in members):
            raise DataError(
                f"The file {self.filename} is an Excel workbook or another Office document. Save the sheet as CSV and upload that."
            )
        if len(members) != 1:
            names = ", ".join(repr(info.filename[:80]) for info in members[:5]) or "none"
            raise DataError(
                f"The zip file {self.filename} must hold exactly one file, but holds {len(members)} ({names}). Upload each by itself."
            )
        if members[0].flag_bits & 1:
            raise DataError(f"The zip file {self.filename} has a password. Upload it without one.")
        try:
            return cast(Readable, archive.open(members[0]))
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise DataError(f"The zip file {self.filename} cannot be opened ({error}). Compress it again with common settings.") from error


class _ZstdStream:
    """Zstandard of any number of frames; a frame cut short is an EOFError."""

    def __init__(self, file: IO[bytes]) -> None:
        self._counted = _Counted(file)
        self._stream = pyarrow.CompressedInputStream(pyarrow.PythonFile(self._counted, mode="r"), "zstd")

    def read(self, size: int = -1, /) -> bytes:
        try:
            return bytes(self._stream.read(size))
        except OSError as error:
            # Arrow does not tell a cut from damage; a cut shows in that all of the file was taken.
            if self._counted.at_end:
                raise EOFError from error
            raise


class _Counted:
    """A file that remembers whether it was read to its end."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.at_end = file, False

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        self.at_end = not data
        return data

    def close(self) -> None:
        """The file is its opener's to close."""


class _XzStream:
    """xz of any number of streams, with a limit on the memory that a file can ask for."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._input = file, b""
        self._decompressor: lzma.LZMADecompressor | None = None

    def read(self, size: int = -1, /) -> bytes:
        while True:
            if self._decompressor is None or self._decompressor.needs_input:
                self._input += self._file.read(_CHUNK)
            if self._decompressor is None:
                self._input = self._input.lstrip(b"\0")  # padding between streams
                if not self._input:
                    return b""
                self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
            if not self._input and self._decompressor.needs_input:
                raise EOFError("the stream does not end")
            data = self._decompressor.decompress(self._input, size)
            self._input = b""
            if self._decompressor.eof:
                self._input, self._decompressor = self._decompressor.unused_data, None
            if data:
                return data
