"""The files of a bundle, in a folder or in one zip file: what they are called, their checksums, and getting them in and out safely."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from gnn.errors import BundleError, BundleNewer, BundleTampered, BundleTruncated, BundleUnsafe

MANIFEST = "manifest.json"
MAX_JSON = 16 * 2**20
_CHUNK = 2**20
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that zip can tell: the same model gives the same bytes whenever it is packed."""


@dataclass(frozen=True)
class Form:
    """What a kind of bundle consists of."""

    name: str
    what: str
    """Whose bundle it is, in words."""
    members: Mapping[int, tuple[str, ...]]
    """Schema -> its files; all these schemas can be read, and the newest is written."""
    documents: tuple[str, ...]
    """Members that are read at once, and so may not be large."""
    max_bytes: int
    """Most that it may hold unpacked."""
    max_ratio: int
    """Most times its own size that a zip file of it may hold."""
    compression: int = zipfile.ZIP_STORED

    @property
    def schema(self) -> int:
        return max(self.members)


_FIRST = ("model.safetensors", "model.json", "users.parquet", "items.parquet", "MODEL_CARD.md", "LICENCES.md", "recommend.py")
MODEL = Form(
    name="recsmith.bundle",
    what="a model",
    members={1: _FIRST, 2: (*_FIRST, "architecture.py", "recbole.yaml")},
    documents=("model.json",),
    max_bytes=64 * 2**30,
    max_ratio=100,  # embeddings hardly shrink
)


def seal(folder: Path, form: Form = MODEL) -> None:
    """Write the manifest: schema, and size and SHA-256 of every member."""
    names = form.members[form.schema]
    members = {name: {"bytes": (folder / name).stat().st_size, "sha256": _sha256(folder / name)} for name in names}
    document = {"format": form.name, "schema": form.schema, "members": members}
    (folder / MANIFEST).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def verify(folder: Path, form: Form = MODEL) -> str:
    """Check that a folder holds exactly the bytes its manifest says; gives the bundle's digest, the SHA-256 of the manifest.

    The digest tells whether two bundles are the same. A checksum is no signature: who changes a member and its checksum
    makes another bundle, with another digest.

    Raises:
        BundleNewer, BundleTruncated, BundleTampered, BundleError: as they say.
    """
    # What else lies there is never read, such as what Python leaves behind when it imports recommend.py.
    sizes = _sizes_in(folder, form)
    for name, (size, digest) in sizes.items():
        path = folder / name
        if path.stat().st_size < size:
            raise BundleTruncated(f"{name} has {path.stat().st_size:,} of {size:,} bytes. Copy the bundle again.")
        if _sha256(path) != digest:
            raise BundleTampered(f"{name} is not the file that the bundle was made with: its SHA-256 differs from the manifest's.")
    return _sha256(folder / MANIFEST)


def pack(folder: Path, file: IO[bytes], form: Form = MODEL) -> None:
    """Write a sealed folder as one zip file; the same content gives the same bytes."""
    members = _sizes_in(folder, form)
    with zipfile.ZipFile(file, "w") as archive:
        for name in (MANIFEST, *members):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = form.compression
            with (folder / name).open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target, _CHUNK)


def unpack(file: IO[bytes], folder: Path, form: Form = MODEL) -> str:
    """Write the members of a zip file into an empty folder and verify them; gives the digest.

    Only names that a bundle has are written, and no more bytes than its manifest says.

    Raises:
        BundleError and its kinds; the folder may then hold a part.
    """
    with _archive(file, form) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        for name in entries:
            if name.startswith(("/", "\\")) or ".." in name or "\\" in name or ":" in name:
                raise BundleUnsafe(f"The bundle has a file {name[:200]!r}, which would be written outside its folder. Nothing was written.")
        if len(entries) != len(archive.infolist()):
            raise BundleUnsafe("The bundle has two files of one name. Nothing was written.")
        if MANIFEST not in entries:
            raise BundleError(f"This zip file is not a bundle of {form.what}: it has no {MANIFEST}.")
        if entries[MANIFEST].file_size > MAX_JSON:
            raise BundleUnsafe(f"{MANIFEST} would be {entries[MANIFEST].file_size:,} bytes. Nothing was written.")
        manifest = archive.read(MANIFEST)
        sizes = _manifest_sizes(manifest, form, found=set(entries))
        file.seek(0, 2)
        if sum(size for size, _ in sizes.values()) > form.max_ratio * file.tell():
            raise BundleUnsafe(f"The bundle would unpack to more than {form.max_ratio} times its size. Nothing was written.")
        for name, (size, _) in sizes.items():
            if entries[name].file_size != size:
                raise BundleTampered(f"{name} has {entries[name].file_size:,} bytes, but the manifest says {size:,}. Nothing was written.")
        (folder / MANIFEST).write_bytes(manifest)
        for name in sizes:
            try:
                with archive.open(name) as source, (folder / name).open("wb") as target:
                    shutil.copyfileobj(source, target, _CHUNK)  # no more than the size that was compared above
            except zipfile.BadZipFile as error:
                raise BundleTampered(f"{name} is not the file that the bundle was made with: {error}.") from error
    return verify(folder, form)


def _sizes_in(folder: Path, form: Form) -> dict[str, tuple[int, str]]:
    names = {name for members in form.members.values() for name in members}
    return _manifest_sizes(_small(folder / MANIFEST, form), form, found={name for name in names if (folder / name).is_file()})


@contextmanager
def _archive(file: IO[bytes], form: Form) -> Iterator[zipfile.ZipFile]:
    head = file.read(4)
    file.seek(0)
    if head != b"PK\x03\x04":
        raise BundleError(f"This is not a zip file, so it is not a bundle of {form.what}.")
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (zipfile.BadZipFile, EOFError) as error:
        raise BundleTruncated(f"The zip file is damaged or not complete ({error}). Copy the bundle again.") from error
    except (NotImplementedError, RuntimeError) as error:  # another compression, or a password
        raise BundleUnsafe(f"The zip file was not written by Recsmith: {error}.") from error


def _manifest_sizes(content: bytes, form: Form, found: set[str]) -> dict[str, tuple[int, str]]:
    """Size and SHA-256 of each member, from a manifest that names exactly the members there are."""
    try:
        document: Any = json.loads(content)
        if document["format"] != form.name:
            raise BundleError(f"{MANIFEST} is of the format {str(document['format'])[:200]!r}, and so not of a bundle of {form.what}.")
        schema = int(document["schema"])
        if schema > form.schema:
            raise BundleNewer(f"The bundle has schema {schema}, but this version reads up to {form.schema}. Use a newer Recsmith.")
        members = form.members[schema]
        sizes = {str(name): (int(entry["bytes"]), str(entry["sha256"])) for name, entry in document["members"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise BundleTampered(f"{MANIFEST} is not what a bundle has: {type(error).__name__} {error}.") from error
    if set(sizes) != set(members):
        raise BundleTampered(f"{MANIFEST} must name {', '.join(members)}, but names {', '.join(sorted(sizes)) or 'nothing'}.")
    if missing := sorted(set(sizes) - found):
        raise BundleTruncated(f"The bundle lacks {', '.join(missing)}. Copy it again.")
    if unknown := sorted(found - set(sizes) - {MANIFEST}):
        raise BundleTampered(f"The bundle has a file {unknown[0][:200]!r} that its manifest does not name.")
    if any(size < 0 for size, _ in sizes.values()) or sum(size for size, _ in sizes.values()) > form.max_bytes:
        raise BundleUnsafe(f"The bundle would need more than {form.max_bytes // 2**30} GiB, so it was not read.")
    for name in form.documents:
        if sizes[name][0] > MAX_JSON:
            raise BundleUnsafe(f"{name} would need {sizes[name][0]:,} bytes, so it was not read.")
    return sizes


def _small(path: Path, form: Form) -> bytes:
    if not path.is_file():
        raise BundleError(f"{path.parent.name} is not a bundle of {form.what}: it has no {path.name}.")
    if path.stat().st_size > MAX_JSON:
        raise BundleUnsafe(f"{path.name} has {path.stat().st_size:,} bytes, so it was not read.")
    return path.read_bytes()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
